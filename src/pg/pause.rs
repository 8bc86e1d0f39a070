//! A session waits for a worker.

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
