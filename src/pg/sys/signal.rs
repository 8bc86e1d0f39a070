//! SIGTERM, upon which the worker finishes its work and stops; and threads with signals blocked.
//!
//! A commit that waits for a standby ends only with a cancelled query or with the process. A worker
//! that is to stop does not wait: a standby that is connected has its records before the server has
//! shut down.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use pgrx::pg_sys;

static REQUESTED: AtomicBool = AtomicBool::new(false);

/// Whether the worker is to stop.
pub fn is_stop_requested() -> bool {
    REQUESTED.load(SeqCst)
}

/// Listens to SIGTERM from now on.
#[allow(unsafe_code)]
pub fn listen() {
    // SAFETY: the handler has the right form and does what a handler may do.
    unsafe {
        #[cfg(not(feature = "pg18"))]
        pg_sys::pqsignal(pg_sys::SIGTERM as i32, Some(on_sigterm));
        #[cfg(feature = "pg18")]
        pg_sys::pqsignal_be(pg_sys::SIGTERM as i32, Some(on_sigterm));
    }
}

#[allow(unsafe_code)]
unsafe extern "C-unwind" fn on_sigterm(_: i32) {
    REQUESTED.store(true, SeqCst);
    // SAFETY: PostgreSQL's own handlers write such variables and set the latch. What the signal
    // interrupts may be about to read errno, which each thread has at an address of its own.
    unsafe {
        #[cfg(target_os = "linux")]
        let errno = libc::__errno_location();
        #[cfg(not(target_os = "linux"))]
        let errno = libc::__error();
        let interrupted = *errno;
        // The commits to come wait for no standby, and a wait that has begun ends. A statement is
        // not cancelled: no interrupt is marked as pending.
        (&raw mut pg_sys::synchronous_commit)
            .write_volatile(pg_sys::SyncCommitLevel::SYNCHRONOUS_COMMIT_LOCAL_FLUSH as i32);
        (&raw mut pg_sys::QueryCancelPending).write_volatile(1);
        pg_sys::SetLatch(pg_sys::MyLatch);
        *errno = interrupted;
    }
}

/// Signals of crashes, which end the process, so that the postmaster recovers. SIGFPE is none of them:
/// PostgreSQL handles it by a longjmp into the main thread. Blocked, it ends the process as well if a
/// thread causes it.
const OF_CRASHES: [i32; 4] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGABRT];

/// Runs `start` with signals blocked: threads started there inherit that, so that no handler of
/// PostgreSQL's ever runs on one of them.
#[allow(unsafe_code)]
pub fn with_signals_blocked<T>(start: impl FnOnce() -> T) -> T {
    // SAFETY: the sets are initialised by sigfillset and by pthread_sigmask itself.
    unsafe {
        let mut blocked = std::mem::zeroed();
        let mut before = std::mem::zeroed();
        libc::sigfillset(&mut blocked);
        for signal in OF_CRASHES {
            libc::sigdelset(&mut blocked, signal);
        }
        libc::pthread_sigmask(libc::SIG_SETMASK, &blocked, &mut before);
        let result = start();
        libc::pthread_sigmask(libc::SIG_SETMASK, &before, std::ptr::null_mut());
        result
    }
}
