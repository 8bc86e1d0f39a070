//! What the log says of rows whose values are invalid: one line for each trigger, or function that
//! is called, in a database transaction, when that commits. A role that may insert rows, and nothing else, must not be able to
//! fill the disk.

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::pg::sys::log;

/// The rows of one trigger that were parked.
struct ParkedRows {
    server: String,
    count: u64,
    /// The number of the first callback.
    first: i64,
    /// Why that one cannot be sent, without values of the row.
    reason: String,
}

thread_local! {
    /// Those of the current database transaction, by the nesting level of the subtransaction, which
    /// can be rolled back alone, and by trigger.
    static PARKED: RefCell<BTreeMap<(i32, String), ParkedRows>> =
        const { RefCell::new(BTreeMap::new()) };
}

/// Remembers that a trigger parked a row as the callback `id`.
pub fn note(
    nest_level: i32,
    trigger: &str,
    server: &str,
    id: i64,
    reason: impl FnOnce() -> String,
) {
    PARKED.with_borrow_mut(|parked| {
        let rows = parked.entry((nest_level, trigger.to_owned()));
        let rows = rows.or_insert_with(|| ParkedRows {
            server: server.to_owned(),
            count: 0,
            first: id,
            reason: reason(),
        });
        rows.count += 1;
    });
}

/// A subtransaction at this level ended: its rows are those of the one above, or gone.
pub fn end_subtransaction(nest_level: i32, is_committed: bool) {
    PARKED.with_borrow_mut(|parked| {
        let ended = parked.split_off(&(nest_level, String::new()));
        for ((_, trigger), rows) in ended.into_iter().filter(|_| is_committed) {
            match parked.get_mut(&(nest_level - 1, trigger.clone())) {
                Some(above) => above.count += rows.count,
                None => {
                    parked.insert((nest_level - 1, trigger), rows);
                }
            }
        }
    });
}

/// Nothing of the database transaction is parked.
pub fn forget() {
    PARKED.with_borrow_mut(BTreeMap::clear);
}

/// Writes the lines: the database transaction is about to commit.
pub fn log() {
    for ((_, trigger), rows) in PARKED.take() {
        let ParkedRows {
            server,
            count,
            first,
            reason,
        } = rows;
        let what = match count {
            1 => format!("callback {first} for server \"{server}\" is parked"),
            _ => format!(
                "{count} callbacks for server \"{server}\" are parked, the first is {first}"
            ),
        };
        log::line(&format!("s2s: {trigger}: {what}: {reason}"));
    }
}
