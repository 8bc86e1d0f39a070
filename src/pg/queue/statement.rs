//! What row triggers queue, gathered per statement.
//!
//! PostgreSQL fires a statement's AFTER triggers one row after the other in `ExecutorFinish`. A
//! hook there lets the callbacks of all rows be inserted together when the last trigger has
//! fired: they are in the queue when the statement is done. Triggers that fire elsewhere (COPY,
//! deferred constraints, logical replication) insert row by row.

use std::cell::RefCell;
use std::sync::OnceLock;

use pgrx::pg_sys;
use pgrx::pg_sys::ffi::pg_guard_ffi_boundary;
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

/// Sets the hook. Called once, when the library is loaded.
#[allow(unsafe_code)]
pub fn watch_statements() {
    // SAFETY: the hook has the right form; the variable is read in this thread only.
    unsafe {
        let _ = PREVIOUS.set(pg_sys::ExecutorFinish_hook);
        pg_sys::ExecutorFinish_hook = Some(executor_finish);
    }
}

#[allow(unsafe_code)]
#[pg_guard]
unsafe extern "C-unwind" fn executor_finish(query: *mut pg_sys::QueryDesc) {
    let firing = Scope::open();
    // SAFETY: as PostgreSQL calls the hook.
    unsafe {
        match PREVIOUS.get().copied().flatten() {
            Some(previous) => pg_guard_ffi_boundary(|| previous(query)),
            None => pg_sys::standard_ExecutorFinish(query),
        }
    }
    firing.finish();
}

/// Leaves no statement behind, whatever happens to it.
struct Scope;

impl Scope {
    #[allow(unsafe_code)]
    fn open() -> Scope {
        // SAFETY: reads a variable.
        let nest_level = unsafe { pg_sys::GetCurrentTransactionNestLevel() };
        FIRING.with_borrow_mut(|firing| {
            firing.push(Firing {
                nest_level,
                bulk: None,
            });
        });
        Scope
    }

    fn finish(self) {
        let bulk = FIRING.with_borrow_mut(|firing| firing.last_mut()?.bulk.take());
        // Not while the list is borrowed: an index may call functions of its own.
        if let Some(bulk) = bulk {
            bulk.finish();
        }
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        let ended = FIRING.with_borrow_mut(Vec::pop);
        drop(ended);
    }
}

/// Queues what a row trigger has to say, with the other rows of its statement if it can; returns
/// the callback's id.
#[allow(unsafe_code)]
pub fn enqueue_in_statement(entry: &Entry) -> i64 {
    // SAFETY: reads a variable.
    let nest_level = unsafe { pg_sys::GetCurrentTransactionNestLevel() };
    let is_here = |firing: &Firing| firing.nest_level == nest_level;
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
