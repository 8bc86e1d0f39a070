//! Lines of the server's log that its clients do not get.

use std::ffi::{CString, c_char, c_int};

use pgrx::prelude::*;

#[allow(unsafe_code)]
unsafe extern "C-unwind" {
    // Parts of ereport(), which are not in pgrx's bindings.
    fn errstart(level: c_int, domain: *const c_char) -> bool;
    fn errmsg_internal(format: *const c_char, ...) -> c_int;
    fn errhidestmt(hide: bool) -> c_int;
    fn errhidecontext(hide: bool) -> c_int;
    fn errfinish(file: *const c_char, line: c_int, function: *const c_char);
}

/// Writes a line into the log, without the statement and the context, whose texts hold values of
/// rows and can be as long as a client likes.
#[allow(unsafe_code)]
pub fn line(text: &str) {
    let text = CString::new(text.replace('\0', "")).unwrap_or_default();
    // SAFETY: the sequence of calls is that of ereport(), on the only thread that calls PostgreSQL;
    // all texts are NUL-terminated, and the message is copied. At this level it raises no error.
    unsafe {
        if errstart(PgLogLevel::LOG_SERVER_ONLY as c_int, std::ptr::null()) {
            errmsg_internal(c"%s".as_ptr(), text.as_ptr());
            errhidestmt(true);
            errhidecontext(true);
            errfinish(c"".as_ptr(), 0, std::ptr::null());
        }
    }
}
