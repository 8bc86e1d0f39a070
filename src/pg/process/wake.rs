//! How a commit wakes the database's worker.

#![forbid(unsafe_code)]

use std::cell::Cell;
use std::sync::atomic::Ordering::SeqCst;

use pgrx::pg_sys;

use crate::delivery::Timestamp;
use crate::pg::sys::process;
use crate::pg::sys::transaction::{self, End};

pub use super::shared_memory::{Board, Slot, board, request_memory};

thread_local! {
    static AT_COMMIT: Cell<AtCommit> = const { Cell::new(AtCommit::NOTHING) };

    /// The slot that this process, a worker, is in.
    static OCCUPIED: Cell<Option<&'static Slot>> = const { Cell::new(None) };
}

/// What this database transaction does when it commits.
#[derive(Clone, Copy)]
struct AtCommit {
    wake: bool,
    /// The earliest due time of what was queued, as a `timestamptz`.
    earliest: i64,
    reload: bool,
    /// [`on_end`] is registered in this process.
    is_registered: bool,
}

impl AtCommit {
    const NOTHING: AtCommit = AtCommit {
        wake: false,
        earliest: i64::MAX,
        reload: false,
        is_registered: false,
    };
}

/// Wakes the worker when the current database transaction commits: callbacks will be due.
pub fn at_commit(due_at: Timestamp) {
    remember(|at_commit| {
        at_commit.wake = true;
        at_commit.earliest = at_commit.earliest.min(due_at.0);
    });
}

/// Makes the worker read servers and callbacks anew when the current database transaction
/// commits.
pub fn reload_at_commit() {
    remember(|at_commit| {
        at_commit.wake = true;
        at_commit.reload = true;
    });
}

fn remember(change: impl FnOnce(&mut AtCommit)) {
    let mut at_commit = AT_COMMIT.get();
    if !at_commit.is_registered {
        transaction::at_each_end(on_end);
        at_commit.is_registered = true;
    }
    change(&mut at_commit);
    AT_COMMIT.set(at_commit);
}

/// Runs at the end of each database transaction of a process that ever queued something. An error
/// here would take the whole server down: there is nothing but atomics and SetLatch.
fn on_end(end: End) {
    let at_commit = AT_COMMIT.get();
    if !at_commit.wake {
        return;
    }
    AT_COMMIT.set(AtCommit {
        is_registered: true,
        ..AtCommit::NOTHING
    });
    if end == End::Abort {
        return;
    }
    wake_mine(|slot| {
        if end == End::Prepare {
            slot.prepared.store(true, SeqCst);
        }
        slot.earliest.add(at_commit.earliest);
        if at_commit.reload {
            slot.reloads.fetch_add(1, SeqCst);
        }
    });
}

/// Tells the current database's worker something and wakes it, or has one started; `None` without
/// preload, or if there is no room for a worker.
pub fn wake_mine(tell: impl Fn(&Slot)) -> Option<&'static Slot> {
    board()?.wake(process::database(), tell)
}

/// Makes this process the worker of its database until it ends; `None` if there is another one, or none
/// is wanted.
pub fn occupy(database: pg_sys::Oid) -> Option<&'static Slot> {
    // Before it is occupied: what can fail must not leave the slot behind.
    process::at_exit(|| {
        if let Some(slot) = OCCUPIED.take() {
            slot.vacate();
        }
    });
    let slot = board()?.find(database)?;
    let is_mine = slot.occupy(database);
    OCCUPIED.set(is_mine.then_some(slot));
    OCCUPIED.get()
}

/// The slot of the current database, if it has one.
pub fn my_slot() -> Option<&'static Slot> {
    board()?.find(process::database())
}
