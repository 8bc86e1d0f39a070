//! The worker as a session of PostgreSQL: its settings, its waiting, its transactions.

use std::os::fd::RawFd;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use pgrx::pg_sys;
use pgrx::pg_sys::panic::CaughtError;
use pgrx::prelude::*;

/// Names the worker to `pg_stat_activity` and bounds its waiting for locks.
#[allow(unsafe_code)]
pub fn introduce() {
    for (name, value) in [
        (c"application_name", c"pgrx-ext worker"),
        (c"search_path", c"pg_catalog, pg_temp"),
        (c"lock_timeout", c"2s"),
        (c"statement_timeout", c"0"),
        (c"idle_in_transaction_session_timeout", c"0"),
        #[cfg(any(feature = "pg17", feature = "pg18"))]
        (c"transaction_timeout", c"0"),
        // Plans are made once, or planning would cost more than reading. The queue may be empty
        // then, and anything looks cheap: what is right when it is full is always an index.
        (c"plan_cache_mode", c"force_generic_plan"),
        (c"enable_seqscan", c"off"),
        (c"enable_bitmapscan", c"off"),
        (c"enable_hashjoin", c"off"),
        (c"enable_mergejoin", c"off"),
        (c"enable_sort", c"off"),
        (c"jit", c"off"),
        // What is set for the database is meant for its users.
        (c"role", c"none"),
        (c"default_transaction_read_only", c"off"),
        (c"default_transaction_isolation", c"read committed"),
        (c"session_replication_role", c"origin"),
    ] {
        // SAFETY: settings that exist, with valid values, set for this process.
        unsafe {
            pg_sys::SetConfigOption(
                name.as_ptr(),
                value.as_ptr(),
                pg_sys::GucContext::PGC_SUSET,
                pg_sys::GucSource::PGC_S_OVERRIDE,
            );
        }
    }
}

/// Reads the configuration files again.
#[allow(unsafe_code)]
pub fn reload_settings() {
    // SAFETY: in the main loop of the process, outside of a transaction.
    unsafe { pg_sys::ProcessConfigFile(pg_sys::GucContext::PGC_SIGHUP) };
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
