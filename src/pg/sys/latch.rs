//! Process latches.

use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::atomic::{AtomicPtr, Ordering::SeqCst};
use std::time::Duration;

use pgrx::pg_sys;
use pgrx::prelude::*;

/// The latch of a process, or none; itself in shared memory.
#[derive(Default)]
pub struct SharedLatch(AtomicPtr<pg_sys::Latch>);

impl SharedLatch {
    /// It is this process's from now on.
    #[allow(unsafe_code)]
    pub fn adopt(&self) {
        // SAFETY: a variable that is set once when the process starts.
        self.0.store(unsafe { pg_sys::MyLatch }, SeqCst);
    }

    /// It is no process's.
    pub fn clear(&self) {
        self.0.store(std::ptr::null_mut(), SeqCst);
    }

    /// Wakes the process. Cannot fail.
    #[allow(unsafe_code)]
    pub fn set(&self) {
        let latch = self.0.load(SeqCst);
        if !latch.is_null() {
            // SAFETY: the latch of a process is in shared memory, at the same address in every
            // process. If that process is gone by now, the latch is another's, which a latch set
            // without need does not harm.
            unsafe { pg_sys::SetLatch(latch) }
        }
    }
}

/// Sleeps a little, and lets the statement be cancelled.
pub fn sleep(duration: Duration) {
    wait(pg_sys::WL_LATCH_SET | pg_sys::WL_TIMEOUT, None, duration);
    pg_sys::check_for_interrupts!();
}

/// How long a process sleeps that has no file descriptor left to wait with.
const WITHOUT_DESCRIPTOR: Duration = Duration::from_millis(100);

/// Sleeps until a wake-up call, a signal, the bell or the timeout. For a process without
/// statements: there is none to cancel.
#[allow(unsafe_code)]
pub fn sleep_until_bell(bell: BorrowedFd, timeout: Duration) {
    let events = pg_sys::WL_LATCH_SET | pg_sys::WL_SOCKET_READABLE | pg_sys::WL_TIMEOUT;
    // Waiting takes a descriptor. What else of the process has none goes on without as well.
    PgTryBuilder::new(|| wait(events, Some(bell), timeout))
        .catch_others(|_| std::thread::sleep(WITHOUT_DESCRIPTOR.min(timeout)))
        .execute();
    // SAFETY: PostgreSQL's own handlers write this variable.
    unsafe { (&raw mut pg_sys::QueryCancelPending).write_volatile(0) };
    pg_sys::check_for_interrupts!();
}

#[allow(unsafe_code)]
fn wait(events: u32, socket: Option<BorrowedFd>, timeout: Duration) {
    let milliseconds = timeout.as_micros().div_ceil(1000).min(3_600_000);
    let no_socket = pg_sys::PGINVALID_SOCKET;
    // SAFETY: the latch of this process, and a socket that is open meanwhile.
    unsafe {
        pg_sys::WaitLatchOrSocket(
            pg_sys::MyLatch,
            (events | pg_sys::WL_EXIT_ON_PM_DEATH) as i32,
            socket.map_or(no_socket, |socket| socket.as_raw_fd()),
            milliseconds as std::ffi::c_long,
            pg_sys::PG_WAIT_EXTENSION,
        );
        pg_sys::ResetLatch(pg_sys::MyLatch);
    }
}
