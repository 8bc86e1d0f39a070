//! The settings `s2s.*`.
#![forbid(unsafe_code)]

use std::ffi::{CStr, CString};
use std::time::Duration;

use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting, PostgresGucEnum};

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

/// Defines them. To be called once, when the library is loaded.
pub fn define() {
    GucRegistry::define_bool_guc(
        c"s2s.enabled",
        c"Triggers queue callbacks.",
        c"Turn it off for bulk loads and restores that must not be reported.",
        &ENABLED,
        GucContext::Userset,
        GucFlags::default(),
    );
    GucRegistry::define_enum_guc(
        c"s2s.on_invalid_row",
        c"What a trigger does with a row whose values cannot be sent.",
        c"\"park\" queues it parked, with the reason; \"error\" raises an error.",
        &ON_INVALID_ROW,
        GucContext::Userset,
        GucFlags::default(),
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

pub fn enabled() -> bool {
    ENABLED.get()
}

pub fn on_invalid_row() -> OnInvalidRow {
    ON_INVALID_ROW.get()
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
