//! Database transactions of a background worker.

use std::panic::AssertUnwindSafe;

use pgrx::pg_sys;
use pgrx::pg_sys::panic::CaughtError;
use pgrx::prelude::*;

/// Runs `body` in a transaction of its own. An error undoes it and comes back as text; the
/// process goes on.
#[allow(unsafe_code)]
pub fn transaction<T>(body: impl FnOnce() -> T) -> Result<T, SqlError> {
    // SAFETY: no transaction is open here; each one that starts is committed or aborted. What the
    // body borrows may be half-changed after an error: callers only pass what they then rebuild.
    unsafe {
        let context = pg_sys::CurrentMemoryContext;
        let result = PgTryBuilder::new(AssertUnwindSafe(|| {
            pg_sys::SetCurrentStatementStartTimestamp();
            pg_sys::StartTransactionCommand();
            pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot());
            activity(pg_sys::BackendState::STATE_RUNNING);
            let value = body();
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
        // Without it autovacuum never hears of what was inserted and deleted.
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

/// Why a transaction failed.
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
