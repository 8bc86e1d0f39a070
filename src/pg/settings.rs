//! The settings `s2s.*`.
#![forbid(unsafe_code)]

use std::cell::Cell;
use std::ffi::{CStr, CString};
use std::time::Duration;

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting, PostgresGucEnum};

use crate::pg::sys::setting;

/// What a trigger does with a row whose values cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PostgresGucEnum)]
pub enum OnInvalidRow {
    /// Queue it parked, with the reason.
    #[name = c"park"]
    Park,
    /// Raise an error.
    #[name = c"error"]
    Error,
}

static ENABLED: GucSetting<bool> = GucSetting::<bool>::new(true);
static ON_INVALID_ROW: GucSetting<OnInvalidRow> =
    GucSetting::<OnInvalidRow>::new(OnInvalidRow::Park);
static MAX_IN_FLIGHT: GucSetting<i32> = GucSetting::<i32>::new(32);
static ATTEMPT_RETENTION: GucSetting<i32> = GucSetting::<i32>::new(30 * 86_400);
static SHUTDOWN_GRACE: GucSetting<i32> = GucSetting::<i32>::new(5_000);
static ALLOW_PRIVATE_ADDRESSES: GucSetting<bool> = GucSetting::<bool>::new(false);
static USER_AGENT: GucSetting<Option<CString>> =
    GucSetting::<Option<CString>>::new(Some(DEFAULT_USER_AGENT));

/// The default of `s2s.user_agent`; also used when the setting is empty.
const DEFAULT_USER_AGENT: &CStr = match CStr::from_bytes_with_nul(
    concat!("pgrx-ext/", env!("CARGO_PKG_VERSION"), "\0").as_bytes(),
) {
    Ok(text) => text,
    Err(_) => c"pgrx-ext",
};

/// Which [`setting::origin`] is whose.
const ENABLED_ORIGIN: usize = 0;
const ON_INVALID_ROW_ORIGIN: usize = 1;

thread_local! {
    /// The database transaction whose SET was warned of last.
    static WARNED: Cell<u32> = const { Cell::new(0) };
}

/// Defines them. To be called once, when the library is loaded.
pub fn define() {
    setting::define_bool::<ENABLED_ORIGIN>(
        c"s2s.enabled",
        c"Triggers queue callbacks.",
        c"Turn it off for bulk loads and restores that must not be reported: by SET LOCAL behind a connection pooler.",
        &ENABLED,
    );
    setting::define_enum::<_, ON_INVALID_ROW_ORIGIN>(
        c"s2s.on_invalid_row",
        c"What becomes of a row whose values cannot be sent.",
        c"\"park\" queues it parked, with the reason; \"error\" raises an error. Unless it is set, triggers park and functions raise errors.",
        &ON_INVALID_ROW,
    );
    GucRegistry::define_int_guc(
        c"s2s.max_in_flight",
        c"How many requests a worker has in flight at once.",
        c"Takes effect when the worker starts.",
        &MAX_IN_FLIGHT,
        1,
        256,
        GucContext::Sighup,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"s2s.attempt_retention",
        c"How long attempts are kept.",
        c"Older rows of s2s.attempt are deleted in small batches.",
        &ATTEMPT_RETENTION,
        60,
        i32::MAX,
        GucContext::Sighup,
        GucFlags::UNIT_S,
    );
    GucRegistry::define_int_guc(
        c"s2s.shutdown_grace",
        c"How long a stopping worker waits for answers.",
        c"Requests without an answer by then are sent again after the start.",
        &SHUTDOWN_GRACE,
        0,
        60_000,
        GucContext::Sighup,
        GucFlags::UNIT_MS,
    );
    GucRegistry::define_bool_guc(
        c"s2s.allow_private_addresses",
        c"Callbacks may go to loopback, private and link-local addresses.",
        c"Off, the address of a server's host is checked after name resolution.",
        &ALLOW_PRIVATE_ADDRESSES,
        GucContext::Sighup,
        GucFlags::default(),
    );
    GucRegistry::define_string_guc(
        c"s2s.user_agent",
        c"The User-Agent header of requests.",
        c"Empty means the default.",
        &USER_AGENT,
        GucContext::Sighup,
        GucFlags::default(),
    );
}

/// Whether callbacks of rows are queued. Warns once if they are not because of a SET of an earlier
/// database transaction: behind a connection pooler it can be another client's.
pub fn enabled() -> bool {
    if ENABLED.get() {
        return true;
    }
    if let Some(transaction) = setting::origin(ENABLED_ORIGIN).earlier_transaction()
        && WARNED.replace(transaction) != transaction
    {
        let message = "nothing is queued, since s2s.enabled is off";
        ErrorReport::new(PgSqlErrorCode::ERRCODE_WARNING, message, "s2s")
            .set_detail("An earlier database transaction of this session set it.")
            .set_hint("RESET s2s.enabled turns it on. SET LOCAL turns it off for one database transaction, also behind a connection pooler.")
            .report(PgLogLevel::WARNING);
    }
    false
}

/// What becomes of a trigger's row whose values cannot be sent.
pub fn on_invalid_row() -> OnInvalidRow {
    ON_INVALID_ROW.get()
}

/// What becomes of a call whose values cannot be sent: an error, unless the setting was set.
pub fn on_invalid_call() -> OnInvalidRow {
    match setting::origin(ON_INVALID_ROW_ORIGIN).is_explicit() {
        true => ON_INVALID_ROW.get(),
        false => OnInvalidRow::Error,
    }
}

pub fn max_in_flight() -> usize {
    usize::try_from(MAX_IN_FLIGHT.get()).unwrap_or(1)
}

pub fn attempt_retention() -> Duration {
    Duration::from_secs(u64::try_from(ATTEMPT_RETENTION.get()).unwrap_or_default())
}

pub fn shutdown_grace() -> Duration {
    Duration::from_millis(u64::try_from(SHUTDOWN_GRACE.get()).unwrap_or_default())
}

pub fn allow_private_addresses() -> bool {
    ALLOW_PRIVATE_ADDRESSES.get()
}

/// `s2s.user_agent`, or its default if that is no valid header value.
pub fn user_agent() -> String {
    let set = USER_AGENT
        .get()
        .and_then(|text| text.into_string().ok())
        .unwrap_or_default();
    let is_header_value = set
        .bytes()
        .all(|byte| byte == b' ' || byte.is_ascii_graphic());
    match set.trim() {
        text if is_header_value && !text.is_empty() => text.to_owned(),
        _ => DEFAULT_USER_AGENT.to_string_lossy().into_owned(),
    }
}
