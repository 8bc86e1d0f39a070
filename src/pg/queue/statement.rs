//! What row triggers queue, gathered per statement.
//!
//! PostgreSQL fires a statement's AFTER triggers one row after the other in `ExecutorFinish`. A
//! hook there lets the callbacks of all rows be inserted together when the last trigger has
//! fired: they are in the queue when the statement is done. Triggers that fire elsewhere (COPY,
//! deferred constraints, logical replication) insert row by row.

use std::cell::RefCell;
use std::ffi::c_int;
use std::sync::OnceLock;

use pgrx::pg_sys;
use pgrx::prelude::*;

use super::insert::{Bulk, Entry, enqueue};

/// A statement whose AFTER triggers are firing.
struct Firing {
    /// The subtransaction that it runs in: what is queued in another can be rolled back alone.
    nest_level: i32,
    /// What its row triggers queued so far.
    bulk: Option<Bulk>,
}

thread_local! {
    /// A trigger can run statements, whose triggers fire before it goes on: the last is the
    /// innermost.
    static FIRING: RefCell<Vec<Firing>> = const { RefCell::new(Vec::new()) };
}

/// The hook that was there before ours.
static PREVIOUS: OnceLock<pg_sys::ExecutorFinish_hook_type> = OnceLock::new();

#[allow(unsafe_code)]
unsafe extern "C-unwind" {
    /// PostgreSQL's own, without the wrapper that pgrx puts around it: that makes a new error out
    /// of one that passes through, without its context and the constraint that it names.
    #[link_name = "standard_ExecutorFinish"]
    fn unwrapped_executor_finish(query: *mut pg_sys::QueryDesc);

    /// How deep the current subtransaction is. Without the wrapper as well: it reads a variable, in
    /// every statement of the server.
    #[link_name = "GetCurrentTransactionNestLevel"]
    safe fn nest_level() -> c_int;
}

/// Sets the hook. Called once, when the library is loaded.
#[allow(unsafe_code)]
pub fn watch_statements() {
    // SAFETY: the hook and the callbacks have the right forms and live as long as the process;
    // the variable is read in this thread only.
    unsafe {
        let _ = PREVIOUS.set(pg_sys::ExecutorFinish_hook);
        pg_sys::ExecutorFinish_hook = Some(executor_finish);
        pg_sys::RegisterXactCallback(Some(on_transaction_end), std::ptr::null_mut());
        pg_sys::RegisterSubXactCallback(Some(on_subtransaction_end), std::ptr::null_mut());
    }
}

/// Runs a statement's AFTER triggers, then inserts what they queued.
///
/// An error in somebody's trigger jumps over this function, which owns nothing then: the end of
/// the transaction or subtransaction clears up.
#[allow(unsafe_code)]
unsafe extern "C-unwind" fn executor_finish(query: *mut pg_sys::QueryDesc) {
    // SAFETY: as PostgreSQL calls the hook.
    unsafe {
        open();
        match PREVIOUS.get().copied().flatten() {
            Some(previous) => previous(query),
            None => unwrapped_executor_finish(query),
        }
        if FIRING.with_borrow(|firing| firing.last().is_some_and(|last| last.bulk.is_some())) {
            insert_gathered();
        }
        FIRING.with_borrow_mut(|firing| drop(firing.pop()));
    }
}

fn open() {
    let statement = Firing {
        nest_level: nest_level(),
        bulk: None,
    };
    FIRING.with_borrow_mut(|firing| firing.push(statement));
}

#[allow(unsafe_code)]
#[pg_guard]
unsafe extern "C-unwind" fn insert_gathered() {
    let bulk = FIRING.with_borrow_mut(|firing| firing.last_mut()?.bulk.take());
    // Not while the list is borrowed: an index may call functions of its own.
    if let Some(bulk) = bulk {
        bulk.finish();
    }
}

/// An error here would take the whole server down: memory is freed, and nothing else.
#[allow(unsafe_code)]
unsafe extern "C-unwind" fn on_transaction_end(
    event: pg_sys::XactEvent::Type,
    _: *mut std::ffi::c_void,
) {
    use pg_sys::XactEvent::*;
    // No statement outlives its transaction.
    if matches!(
        event,
        XACT_EVENT_COMMIT | XACT_EVENT_PREPARE | XACT_EVENT_ABORT
    ) {
        forget(|_| true);
    }
}

#[allow(unsafe_code)]
unsafe extern "C-unwind" fn on_subtransaction_end(
    event: pg_sys::SubXactEvent::Type,
    _: pg_sys::SubTransactionId,
    _: pg_sys::SubTransactionId,
    _: *mut std::ffi::c_void,
) {
    if event == pg_sys::SubXactEvent::SUBXACT_EVENT_ABORT_SUB {
        let nest_level = nest_level();
        forget(|statement| statement.nest_level >= nest_level);
    }
}

/// Drops statements that ended with an error.
fn forget(is_over: impl Fn(&Firing) -> bool) {
    FIRING.with(|firing| {
        if let Ok(mut firing) = firing.try_borrow_mut() {
            firing.retain(|statement| !is_over(statement));
        }
    });
}

/// Queues what a row trigger has to say, with the other rows of its statement if it can; returns
/// the callback's id.
pub fn enqueue_in_statement(entry: &Entry) -> i64 {
    let nest_level = nest_level();
    let is_here = |firing: &Firing| firing.nest_level == nest_level;
    // Taken out while it is added to: that calls PostgreSQL, and an error drops it.
    let bulk = FIRING.with_borrow_mut(|firing| {
        let innermost = firing.last_mut().filter(|firing| is_here(firing))?;
        Some(innermost.bulk.take())
    });
    let Some(bulk) = bulk else {
        return enqueue(entry);
    };
    let mut bulk = bulk.unwrap_or_default();
    let id = bulk.add(entry);
    FIRING.with_borrow_mut(|firing| {
        if let Some(innermost) = firing.last_mut() {
            innermost.bulk = Some(bulk);
        }
    });
    id
}
