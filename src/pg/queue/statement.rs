//! Callbacks of row triggers, gathered per statement.
//!
//! PostgreSQL fires a statement's AFTER triggers one row after the other in `ExecutorFinish`. A
//! hook there inserts the callbacks of all rows together after the last trigger: they are in the
//! queue when the statement ends. Triggers that fire elsewhere (COPY, deferred constraints, logical
//! replication) insert row by row.

use std::cell::RefCell;
use std::ffi::c_int;

use pgrx::pg_sys;
use pgrx::prelude::*;

use super::insert::{BulkInsert, NewCallback, enqueue};
use super::parked;
use crate::network::MAX_URL;
use crate::pg::sys::hook;
use crate::problem::Problem;

/// A statement whose AFTER triggers are firing.
struct FiringStatement {
    /// The nesting level of the subtransaction that runs it: callbacks of another one can be rolled
    /// back without the statement.
    nest_level: i32,
    /// The callbacks of its row triggers so far.
    bulk: Option<BulkInsert>,
}

thread_local! {
    /// A trigger can run statements, whose triggers fire before it goes on: the last one is the
    /// innermost.
    static FIRING: RefCell<Vec<FiringStatement>> = const { RefCell::new(Vec::new()) };
}

#[allow(unsafe_code)]
unsafe extern "C-unwind" {
    /// The nesting level of the current subtransaction. Declared without pgrx's wrapper, which would
    /// cost more than the call: it reads a variable, for every statement of the server.
    #[link_name = "GetCurrentTransactionNestLevel"]
    safe fn nest_level() -> c_int;
}

/// Gathers from now on. To be called once, when the library is loaded.
#[allow(unsafe_code)]
pub fn gather_by_statement() {
    hook::around_executor_finish(begin_statement, end_statement);
    // SAFETY: the callbacks have the signatures that these functions ask for, and are part of the
    // library, which is never unloaded.
    unsafe {
        pg_sys::RegisterXactCallback(Some(on_transaction_end), std::ptr::null_mut());
        pg_sys::RegisterSubXactCallback(Some(on_subtransaction_end), std::ptr::null_mut());
    }
}

fn begin_statement() {
    let statement = FiringStatement {
        nest_level: nest_level(),
        bulk: None,
    };
    FIRING.with_borrow_mut(|firing| firing.push(statement));
}

/// Runs only if no trigger raised an error; else the end of the database transaction or
/// subtransaction clears up.
fn end_statement() {
    if FIRING.with_borrow(|firing| firing.last().is_some_and(|last| last.bulk.is_some())) {
        insert_gathered();
    }
    FIRING.with_borrow_mut(|firing| drop(firing.pop()));
}

#[pg_guard]
extern "C-unwind" fn insert_gathered() {
    let bulk = FIRING.with_borrow_mut(|firing| firing.last_mut()?.bulk.take());
    // Not while the list is borrowed: an index can call functions, which can run statements.
    if let Some(bulk) = bulk {
        bulk.finish();
    }
}

#[pg_guard]
extern "C-unwind" fn log_parked() {
    parked::log();
}

/// Inserts what is left of statements that never ended: a trigger of theirs raised an error, and code
/// in C caught it without the end of a subtransaction.
fn insert_left_over() {
    let nest_level = nest_level();
    while FIRING.with_borrow(|firing| {
        let last = firing.last();
        last.is_some_and(|last| last.nest_level >= nest_level)
    }) {
        end_statement();
    }
}

/// Before the end it inserts what is left over, and the log says what is parked. At the end it only frees
/// memory: an error would crash the server.
#[allow(unsafe_code)]
unsafe extern "C-unwind" fn on_transaction_end(
    event: pg_sys::XactEvent::Type,
    _: *mut std::ffi::c_void,
) {
    use pg_sys::XactEvent::*;
    match event {
        XACT_EVENT_PRE_COMMIT | XACT_EVENT_PRE_PREPARE => {
            insert_left_over();
            log_parked();
        }
        // No statement outlives its database transaction.
        XACT_EVENT_COMMIT | XACT_EVENT_PREPARE | XACT_EVENT_ABORT => {
            forget(|_| true);
            parked::forget();
        }
        _ => {}
    }
}

#[allow(unsafe_code)]
unsafe extern "C-unwind" fn on_subtransaction_end(
    event: pg_sys::SubXactEvent::Type,
    _: pg_sys::SubTransactionId,
    _: pg_sys::SubTransactionId,
    _: *mut std::ffi::c_void,
) {
    use pg_sys::SubXactEvent::*;
    let nest_level = nest_level();
    match event {
        // What is committed here is not to be undone with the next subtransaction of this level.
        SUBXACT_EVENT_PRE_COMMIT_SUB => insert_left_over(),
        SUBXACT_EVENT_ABORT_SUB => {
            forget(|statement| statement.nest_level >= nest_level);
            parked::end_subtransaction(nest_level, false);
        }
        SUBXACT_EVENT_COMMIT_SUB => parked::end_subtransaction(nest_level, true),
        _ => {}
    }
}

/// Drops statements that ended with an error.
fn forget(is_over: impl Fn(&FiringStatement) -> bool) {
    FIRING.with(|firing| {
        if let Ok(mut firing) = firing.try_borrow_mut() {
            firing.retain(|statement| !is_over(statement));
        }
    });
}

/// Bytes of each value that a parked callback keeps: more than any request has, and fewer than
/// jsonb refuses.
const MAX_PARKED_VALUE: usize = MAX_URL;

/// Queues a callback parked with its problem; the log says so if the current subtransaction commits,
/// without values. `by` is what a line of the log sums up: a trigger, a function. Returns the
/// callback's id.
pub fn park(
    by: &str,
    callback: &NewCallback,
    problem: Problem,
    enqueue: impl FnOnce(&NewCallback) -> i64,
) -> i64 {
    let id = enqueue(&NewCallback {
        parameters: &callback.parameters.cut(MAX_PARKED_VALUE),
        problem: Some(&problem.one_line()),
        ..*callback
    });
    parked::note(nest_level(), by, callback.server, id, || {
        problem.without_value().one_line()
    });
    id
}

/// Queues the callback of a row trigger, together with those of the statement's other rows if
/// possible; returns its id.
pub fn enqueue_in_statement(callback: &NewCallback) -> i64 {
    let nest_level = nest_level();
    let is_here = |firing: &FiringStatement| firing.nest_level == nest_level;
    // Taken out while a callback is added: that calls PostgreSQL, and an error drops it.
    let bulk = FIRING.with_borrow_mut(|firing| {
        let innermost = firing.last_mut().filter(|firing| is_here(firing))?;
        Some(innermost.bulk.take())
    });
    let Some(bulk) = bulk else {
        return enqueue(callback);
    };
    let mut bulk = bulk.unwrap_or_default();
    let id = bulk.add(callback);
    let nested = FIRING.with_borrow_mut(|firing| firing.last_mut()?.bulk.replace(bulk));
    // What an index's function has queued meanwhile by COPY, which is no statement with an end.
    if let Some(nested) = nested {
        nested.finish();
    }
    id
}
