//! This process: who it is, its settings, and its end.

use std::backtrace::Backtrace;
use std::ffi::CStr;

use pgrx::pg_sys;

#[allow(unsafe_code)]
pub fn pid() -> i32 {
    // SAFETY: a variable that is set once when the process starts.
    unsafe { pg_sys::MyProcPid }
}

/// Leaves backtraces out of what pgrx reports as errors, whose DETAIL the client gets: also with
/// `RUST_BACKTRACE` in the server's environment. To be called once, when the library is loaded.
#[allow(unsafe_code)]
pub fn report_no_backtraces() {
    const DECIDES: &str = "RUST_LIB_BACKTRACE";
    let before = std::env::var_os(DECIDES);
    // SAFETY: a library is loaded by the only thread of a process.
    unsafe { std::env::set_var(DECIDES, "0") };
    // The first backtrace decides for this library, and for no other one of the process.
    drop(Backtrace::capture());
    // SAFETY: as above.
    unsafe {
        match before {
            Some(before) => std::env::set_var(DECIDES, before),
            None => std::env::remove_var(DECIDES),
        }
    }
}

/// The database that it is connected to.
#[allow(unsafe_code)]
pub fn database() -> pg_sys::Oid {
    // SAFETY: a variable that is set once when the process connects.
    unsafe { pg_sys::MyDatabaseId }
}

/// Sets a setting for this process. Both are constants of ours: an unknown setting is an error.
#[allow(unsafe_code)]
pub fn set(setting: &CStr, value: &CStr) {
    // SAFETY: both are NUL-terminated and copied; an error is raised through pgrx's guard.
    unsafe {
        pg_sys::SetConfigOption(
            setting.as_ptr(),
            value.as_ptr(),
            pg_sys::GucContext::PGC_SUSET,
            pg_sys::GucSource::PGC_S_OVERRIDE,
        );
    }
}

/// Reads the configuration files again. For the main loop of a process, outside of a database
/// transaction.
#[allow(unsafe_code)]
pub fn reload_settings() {
    // SAFETY: it reads files and sets variables; an error is raised through pgrx's guard.
    unsafe { pg_sys::ProcessConfigFile(pg_sys::GucContext::PGC_SIGHUP) };
}

/// Lets `callback` run when this process ends, while it still has shared memory.
#[allow(unsafe_code)]
pub fn at_exit(callback: fn()) {
    unsafe extern "C-unwind" fn call(_: i32, callback: pg_sys::Datum) {
        // SAFETY: what `at_exit` hands over: a function pointer.
        let callback: fn() = unsafe { std::mem::transmute(callback.value()) };
        callback();
    }
    // SAFETY: `call` has the right form and gets what it expects.
    unsafe { pg_sys::before_shmem_exit(Some(call), pg_sys::Datum::from(callback as usize)) };
}

/// Ends the process. With 1, PostgreSQL's log says so, and what the process was started for is still
/// wanted.
#[allow(unsafe_code)]
pub fn exit(code: i32) -> ! {
    // SAFETY: it runs the callbacks for the end of a process, which abort an open database transaction.
    unsafe { pg_sys::proc_exit(code) };
    // To the bindings of some versions of PostgreSQL it is a function that returns.
    #[allow(unreachable_code)]
    {
        unreachable!("the process has ended")
    }
}

/// How many file descriptors this process may have.
#[allow(unsafe_code)]
pub fn most_descriptors() -> usize {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: it writes to the variable that it is given.
    unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    usize::try_from(limit.rlim_cur).unwrap_or(usize::MAX)
}
