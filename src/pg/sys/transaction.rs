//! Database transactions: those of a background worker, and what runs when one ends.

use std::ffi::{CString, c_void};
use std::panic::AssertUnwindSafe;

use pgrx::pg_sys;
use pgrx::pg_sys::panic::{CaughtError, ErrorReportable};
use pgrx::prelude::*;
use pgrx::spi;

use crate::delivery::Timestamp;
use crate::pg::error;

/// Runs `body` in a database transaction of its own. An error undoes it and comes back as text; the
/// process goes on. For a background worker, outside of other database transactions.
#[allow(unsafe_code)]
pub fn transaction<T>(body: impl FnOnce() -> spi::Result<T>) -> Result<T, SqlError> {
    // SAFETY: no database transaction is open here; each one that starts is committed or aborted. What the
    // body borrows may be half-changed after an error: callers only pass what they then rebuild.
    unsafe {
        let context = pg_sys::CurrentMemoryContext;
        let result = PgTryBuilder::new(AssertUnwindSafe(|| {
            pg_sys::SetCurrentStatementStartTimestamp();
            pg_sys::StartTransactionCommand();
            pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot());
            activity(pg_sys::BackendState::STATE_RUNNING);
            let value = body().map_err(error::spi).unwrap_or_report();
            pg_sys::PopActiveSnapshot();
            pg_sys::CommitTransactionCommand();
            Ok(value)
        }))
        .catch_others(|error| Err(SqlError::from(&error)))
        .execute();
        if result.is_err() {
            pg_sys::AbortCurrentTransaction();
        }
        pg_sys::MemoryContextSwitchTo(context);
        // Without it autovacuum never learns what was inserted and deleted.
        pg_sys::pgstat_report_stat(true);
        activity(pg_sys::BackendState::STATE_IDLE);
        result
    }
}

#[allow(unsafe_code)]
fn activity(state: pg_sys::BackendState::Type) {
    // SAFETY: the text is NUL-terminated and copied.
    unsafe { pg_sys::pgstat_report_activity(state, c"delivering callbacks".as_ptr()) }
}

/// What `now()` is in a statement.
#[allow(unsafe_code)]
pub fn start() -> Timestamp {
    // SAFETY: reads a variable.
    Timestamp(unsafe { pg_sys::GetCurrentTransactionStartTimestamp() })
}

/// Refuses what writes in a read-only transaction and during recovery, in PostgreSQL's words.
/// `command` is what was called: `report_lead()`.
#[allow(unsafe_code)]
pub fn check_may_write(command: &str) {
    let command = CString::new(command).unwrap_or_default();
    // SAFETY: the name is NUL-terminated; an error is raised through pgrx's guard.
    unsafe {
        pg_sys::PreventCommandDuringRecovery(command.as_ptr());
        pg_sys::PreventCommandIfReadOnly(command.as_ptr());
    }
}

/// How a database transaction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It is committed.
    Commit,
    /// It is prepared.
    Prepare,
    /// It is undone.
    Abort,
}

/// Lets `callback` run at the end of each database transaction of this process, from now on.
///
/// It may do nothing that can fail: after a commit, an error or a panic takes the whole server down.
#[allow(unsafe_code)]
pub fn at_each_end(callback: fn(End)) {
    unsafe extern "C-unwind" fn call(event: pg_sys::XactEvent::Type, callback: *mut c_void) {
        use pg_sys::XactEvent::*;
        // SAFETY: what `at_each_end` hands over: a function pointer.
        let callback: fn(End) = unsafe { std::mem::transmute(callback) };
        match event {
            XACT_EVENT_COMMIT => callback(End::Commit),
            XACT_EVENT_PREPARE => callback(End::Prepare),
            XACT_EVENT_ABORT => callback(End::Abort),
            _ => {}
        }
    }
    // SAFETY: `call` has the right form and gets what it expects.
    unsafe { pg_sys::RegisterXactCallback(Some(call), callback as *mut c_void) };
}

/// Why a database transaction failed.
#[derive(Debug)]
pub struct SqlError {
    code: PgSqlErrorCode,
    message: String,
}

impl SqlError {
    /// Whether it lies in the values of a row: then other rows may fare better.
    pub fn is_about_values(&self) -> bool {
        // Classes 22 (data exception), 23 (integrity constraint) and 54 (program limit).
        let class = self.code as i32 & 0xfff;
        let of = |digits: [u8; 2]| i32::from(digits[0] - b'0') | (i32::from(digits[1] - b'0') << 6);
        [of(*b"22"), of(*b"23"), of(*b"54")].contains(&class)
    }
}

impl std::fmt::Display for SqlError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<&CaughtError> for SqlError {
    fn from(error: &CaughtError) -> SqlError {
        let report = match error {
            CaughtError::PostgresError(report)
            | CaughtError::ErrorReport(report)
            | CaughtError::RustPanic {
                ereport: report, ..
            } => report,
        };
        SqlError {
            code: report.sql_error_code(),
            message: report.message().to_owned(),
        }
    }
}
