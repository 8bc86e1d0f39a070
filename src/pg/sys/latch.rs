//! Sleeping on the process latch.

use std::os::fd::RawFd;
use std::time::Duration;

use pgrx::pg_sys;

/// Sleeps a little, and lets the statement be cancelled.
#[allow(unsafe_code)]
pub fn sleep(duration: Duration) {
    let milliseconds = duration.as_millis() as std::ffi::c_long;
    let events = pg_sys::WL_LATCH_SET | pg_sys::WL_TIMEOUT | pg_sys::WL_EXIT_ON_PM_DEATH;
    // SAFETY: the latch of this process.
    unsafe {
        pg_sys::WaitLatch(
            pg_sys::MyLatch,
            events as i32,
            milliseconds,
            pg_sys::PG_WAIT_EXTENSION,
        );
        pg_sys::ResetLatch(pg_sys::MyLatch);
    }
    pg_sys::check_for_interrupts!();
}

/// Sleeps until a wake-up call, a signal, the bell or the timeout.
#[allow(unsafe_code)]
pub fn wait(bell: RawFd, timeout: Duration) {
    let milliseconds = timeout.as_micros().div_ceil(1000).min(3_600_000);
    let events = pg_sys::WL_LATCH_SET
        | pg_sys::WL_SOCKET_READABLE
        | pg_sys::WL_TIMEOUT
        | pg_sys::WL_EXIT_ON_PM_DEATH;
    // SAFETY: the latch of this process, and a socket that the pool keeps open.
    unsafe {
        pg_sys::WaitLatchOrSocket(
            pg_sys::MyLatch,
            events as i32,
            bell,
            milliseconds as std::ffi::c_long,
            pg_sys::PG_WAIT_EXTENSION,
        );
        pg_sys::ResetLatch(pg_sys::MyLatch);
        // There is no query to cancel.
        (&raw mut pg_sys::QueryCancelPending).write_volatile(0);
    }
    pg_sys::check_for_interrupts!();
}
