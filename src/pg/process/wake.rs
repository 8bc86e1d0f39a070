//! How a commit wakes the database's worker.

use std::cell::Cell;
use std::sync::atomic::Ordering::SeqCst;

use pgrx::pg_sys;

use crate::delivery::Timestamp;

pub use super::shared_memory::{Board, Slot, board, request_memory};

thread_local! {
    static AT_COMMIT: Cell<AtCommit> = const { Cell::new(AtCommit::NOTHING) };
}

/// What this transaction does when it commits.
#[derive(Clone, Copy)]
struct AtCommit {
    wake: bool,
    /// The earliest due time of what was queued, as a `timestamptz`.
    earliest: i64,
    reload: bool,
    /// The callback is registered in this process.
    registered: bool,
}

impl AtCommit {
    const NOTHING: AtCommit = AtCommit {
        wake: false,
        earliest: i64::MAX,
        reload: false,
        registered: false,
    };
}

/// Wakes the worker when, and if, the current transaction commits: from then on, callbacks are due.
pub fn at_commit(due_at: Timestamp) {
    remember(|at_commit| {
        at_commit.wake = true;
        at_commit.earliest = at_commit.earliest.min(due_at.0);
    });
}

/// Makes the worker read servers and callbacks anew when the current transaction commits.
pub fn reload_at_commit() {
    remember(|at_commit| {
        at_commit.wake = true;
        at_commit.reload = true;
    });
}

#[allow(unsafe_code)]
fn remember(change: impl FnOnce(&mut AtCommit)) {
    let mut at_commit = AT_COMMIT.get();
    if !at_commit.registered {
        // SAFETY: the callback has the right form and lives as long as the process.
        unsafe { pg_sys::RegisterXactCallback(Some(on_transaction_end), std::ptr::null_mut()) };
        at_commit.registered = true;
    }
    change(&mut at_commit);
    AT_COMMIT.set(at_commit);
}

/// Runs at the end of every transaction of a process that ever queued something. An error here
/// would take the whole server down: there is nothing but atomics and SetLatch.
#[allow(unsafe_code)]
unsafe extern "C-unwind" fn on_transaction_end(
    event: pg_sys::XactEvent::Type,
    _: *mut std::ffi::c_void,
) {
    use pg_sys::XactEvent::*;
    let at_commit = AT_COMMIT.get();
    if !at_commit.wake {
        return;
    }
    match event {
        XACT_EVENT_COMMIT | XACT_EVENT_PREPARE | XACT_EVENT_ABORT => {
            AT_COMMIT.set(AtCommit {
                registered: true,
                ..AtCommit::NOTHING
            });
        }
        _ => return,
    }
    if event == XACT_EVENT_ABORT {
        return;
    }
    wake_mine(|slot| {
        if event == XACT_EVENT_PREPARE {
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
#[allow(unsafe_code)]
pub fn wake_mine(tell: impl Fn(&Slot)) -> Option<&'static Slot> {
    // SAFETY: a constant of this process.
    board()?.wake(unsafe { pg_sys::MyDatabaseId }, tell)
}

/// The slot of the current database, if it has one.
#[allow(unsafe_code)]
pub fn my_slot() -> Option<&'static Slot> {
    // SAFETY: a constant of this process.
    board()?.find(unsafe { pg_sys::MyDatabaseId })
}
