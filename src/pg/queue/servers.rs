//! What commands about servers change in the queue, so that a name in it is always the same server's.
//!
//! They see all that is committed: the command keeps others from queueing for the server.

#![forbid(unsafe_code)]

use pgrx::spi;

use super::as_owner;
use crate::pg::sys::spi::run_with_latest_snapshot;

/// The server of a name was dropped: its callbacks are parked, and are no other server's.
pub fn park_dropped(name: &str, reason: &str) -> spi::Result<()> {
    let sql = match super::has_marks() {
        true => include_str!("../../../sql/runtime/park_dropped.sql"),
        false => include_str!("../../../sql/runtime/park_dropped_before_0_3.sql"),
    };
    as_owner(|| run_with_latest_snapshot(sql, &[name, reason])).map(drop)
}

/// A server has another name: so have its callbacks.
pub fn rename(before: &str, now: &str) -> spi::Result<()> {
    let sql = include_str!("../../../sql/runtime/rename_server.sql");
    as_owner(|| run_with_latest_snapshot(sql, &[before, now])).map(drop)
}
