//! Inserting callbacks into `s2s.queue` without SQL: the inserting role needs no privileges on the
//! queue and gains none, and there is nothing to plan.
//!
//! [`enqueue`] inserts one callback, [`BulkInsert`] those of a whole statement, page by page. Both
//! maintain all indexes, also those that a DBA has added.

use std::rc::Rc;

use pgrx::pg_sys;
use pgrx::prelude::*;

use super::table::{COLUMNS, OpenQueueTable, QueueTable};
use crate::callback::{Action, Parameters};
use crate::delivery::{Columns, Timestamp};
use crate::pg::process::wake;
use crate::pg::sys::jsonb;
use crate::pg::sys::memory::{OwnedContext, run_and_reset};

/// A callback to be queued.
pub struct NewCallback<'a> {
    /// The server's name.
    pub server: &'a str,
    /// No server has that name: the callback is for none that gets it later.
    pub is_server_gone: bool,
    pub action: Action,
    pub parameters: &'a Parameters<'a>,
    /// Why it cannot be sent: the callback is parked with this reason.
    pub problem: Option<&'a str>,
}

/// The values of a tuple of `s2s.queue`.
struct QueueTuple {
    id: i64,
    due_at: Timestamp,
    values: [pg_sys::Datum; COLUMNS],
    nulls: [bool; COLUMNS],
    /// The number of the column `server_dropped_at`, if the callback is for no server and the table
    /// has it.
    mark: Option<usize>,
}

impl QueueTuple {
    /// The tuple of a callback that is queued now. Its values are in the current memory context.
    fn new(table: &QueueTable, callback: &NewCallback) -> QueueTuple {
        let columns = Columns::of(callback.action, callback.parameters);
        let id = table.ids.next();
        // The clock's time, not the database transaction's: of two callbacks of one transaction id,
        // the one that is queued later is due later, even if its database transaction is older.
        let due_at = match callback.problem {
            Some(_) => Timestamp::INFINITY,
            None => now(),
        };
        let datums: [Option<pg_sys::Datum>; COLUMNS] = [
            id.into_datum(),
            callback.server.into_datum(),
            Some(table.label(callback.action)),
            columns.transaction_id.into_datum(),
            columns
                .click_id
                .as_ref()
                .and_then(|id| id.as_str().into_datum()),
            Some(jsonb::object(columns.parameters)),
            Some(pg_sys::Datum::from(transaction_start())),
            Some(pg_sys::Datum::from(due_at.0)),
            0i32.into_datum(),
            callback.problem.and_then(|problem| problem.into_datum()),
        ];
        QueueTuple {
            id,
            due_at,
            values: datums.map(|datum| datum.unwrap_or(pg_sys::Datum::null())),
            nulls: datums.map(|datum| datum.is_none()),
            mark: table.server_dropped_at.filter(|_| callback.is_server_gone),
        }
    }

    /// Stores the values in a slot, without copying what they point to. Added columns are NULL.
    ///
    /// # Safety
    ///
    /// The slot has the queue's columns, and is cleared, or materialized, before the memory context
    /// of the values is reset.
    #[allow(unsafe_code)]
    unsafe fn store(&self, slot: *mut pg_sys::TupleTableSlot) {
        // SAFETY: the arrays of a slot have an element for each column of its descriptor, and the
        // queue has at least COLUMNS columns, and the mark's.
        unsafe {
            pg_sys::ExecClearTuple(slot);
            let columns = (*(*slot).tts_tupleDescriptor).natts as usize;
            (*slot).tts_isnull.write_bytes(1, columns);
            (*slot)
                .tts_values
                .copy_from_nonoverlapping(self.values.as_ptr(), COLUMNS);
            (*slot)
                .tts_isnull
                .copy_from_nonoverlapping(self.nulls.as_ptr(), COLUMNS);
            if let Some(mark) = self.mark {
                *(*slot).tts_isnull.add(mark) = false;
                *(*slot).tts_values.add(mark) = pg_sys::Datum::from(transaction_start());
            }
            pg_sys::ExecStoreVirtualTuple(slot);
        }
    }
}

/// Inserts a callback, wakes the worker at commit, and returns the callback's id. The commit is
/// synchronous.
#[allow(unsafe_code)]
pub fn enqueue(callback: &NewCallback) -> i64 {
    let open = OpenQueueTable::new();
    let queue_tuple = QueueTuple::new(&open, callback);
    // SAFETY: the values have the types of the columns, which `QueueTable` has checked. The insertion
    // sets the slot's table and tuple id; the slot is cleared before the values are freed.
    unsafe {
        let slot = open.slot();
        queue_tuple.store(slot);
        pg_sys::simple_table_tuple_insert(open.relation(), slot);
        open.insert_into_indexes(slot);
        pg_sys::ExecClearTuple(slot);
    }
    open.close();
    force_sync_commit();
    if callback.problem.is_none() {
        wake::at_commit(queue_tuple.due_at);
    }
    queue_tuple.id
}

/// Callbacks that are inserted at once, as many as COPY inserts.
const BULK_ROWS: usize = 1000;

/// Callbacks of this many bytes are inserted even if they are fewer than [`BULK_ROWS`].
const BULK_BYTES: usize = 256 * 1024;

/// Inserts the callbacks of a statement, many at once. The last ones are in the queue only after
/// [`BulkInsert::finish`].
pub struct BulkInsert {
    /// The queue as of the first callback. It is locked from there on, so that the columns are the same
    /// when it is opened again.
    table: Option<Rc<QueueTable>>,
    /// Made on demand; the first `pending` hold a callback each.
    slots: Vec<*mut pg_sys::TupleTableSlot>,
    pending: usize,
    pending_bytes: usize,
    /// Holds the slots and their tuples.
    memory: OwnedContext,
    /// Reset for each row.
    row_memory: OwnedContext,
    /// When the first callback is due; parked ones never are.
    due_at: Timestamp,
}

impl Default for BulkInsert {
    fn default() -> BulkInsert {
        BulkInsert {
            table: None,
            slots: Vec::new(),
            pending: 0,
            pending_bytes: 0,
            memory: OwnedContext::of_subtransaction(c"s2s bulk"),
            row_memory: OwnedContext::of_subtransaction(c"s2s row"),
            due_at: Timestamp::INFINITY,
        }
    }
}

impl BulkInsert {
    /// Calls `add` for one row, and frees what it has allocated with palloc.
    #[allow(unsafe_code)]
    pub fn row<R>(&mut self, add: impl FnOnce(&mut BulkInsert) -> R) -> R {
        let row_memory = self.row_memory.value();
        // SAFETY: the context lives as long as `self`. `add` keeps no pointer into it: pending tuples
        // are copies in `memory`.
        unsafe { run_and_reset(row_memory, || add(self)) }
    }

    /// Adds a callback and returns its id.
    #[allow(unsafe_code)]
    pub fn add(&mut self, callback: &NewCallback) -> i64 {
        let table = self
            .table
            .get_or_insert_with(|| OpenQueueTable::new().close());
        let queue_tuple = QueueTuple::new(table, callback);
        if self.pending == self.slots.len() {
            let descriptor = table.descriptor();
            // SAFETY: `self.table` keeps the descriptor; the slot is in `memory`, which is dropped
            // with the list of slots.
            let slot = unsafe {
                self.memory.switch_to(|| {
                    pg_sys::MakeSingleTupleTableSlot(descriptor, &pg_sys::TTSOpsHeapTuple)
                })
            };
            self.slots.push(slot);
        }
        let slot = self.slots[self.pending];
        // SAFETY: the slot was made with the queue's descriptor. ExecMaterializeSlot copies the
        // values into the slot's own memory.
        unsafe {
            queue_tuple.store(slot);
            pg_sys::ExecMaterializeSlot(slot);
            let mut should_free = false;
            let tuple = pg_sys::ExecFetchSlotHeapTuple(slot, false, &mut should_free);
            self.pending_bytes += (*tuple).t_len as usize;
        }
        self.pending += 1;
        self.due_at = self.due_at.min(queue_tuple.due_at);
        if self.pending == BULK_ROWS || self.pending_bytes >= BULK_BYTES {
            self.flush();
        }
        queue_tuple.id
    }

    /// Inserts the pending callbacks.
    #[allow(unsafe_code)]
    fn flush(&mut self) {
        let open = OpenQueueTable::new();
        let pending = &mut self.slots[..self.pending];
        // SAFETY: each slot holds a tuple of the queue, in memory that outlives the call;
        // `heap_multi_insert` sets their table and tuple id.
        unsafe {
            pg_sys::heap_multi_insert(
                open.relation(),
                pending.as_mut_ptr(),
                pending.len() as i32,
                pg_sys::GetCurrentCommandId(true),
                0,
                std::ptr::null_mut(),
            );
            for slot in pending {
                open.insert_into_indexes(*slot);
                pg_sys::ExecClearTuple(*slot);
            }
        }
        open.close();
        self.pending = 0;
        self.pending_bytes = 0;
    }

    /// Inserts the last callbacks and wakes the worker at commit, which is synchronous.
    pub fn finish(mut self) {
        if self.slots.is_empty() {
            return;
        }
        if self.pending > 0 {
            self.row(BulkInsert::flush);
        }
        force_sync_commit();
        if self.due_at < Timestamp::INFINITY {
            wake::at_commit(self.due_at);
        }
    }
}

/// Makes the commit of this database transaction synchronous, whatever `synchronous_commit` is:
/// a crash must not undo what a network was told. With parked callbacks, too: they may be sent later.
#[allow(unsafe_code)]
pub fn force_sync_commit() {
    // SAFETY: sets a flag, which the start of the next database transaction clears.
    unsafe { pg_sys::ForceSyncCommit() };
}

#[allow(unsafe_code)]
fn now() -> Timestamp {
    // SAFETY: reads the clock.
    Timestamp(unsafe { pg_sys::GetCurrentTimestamp() })
}

#[allow(unsafe_code)]
fn transaction_start() -> i64 {
    // SAFETY: reads a variable.
    unsafe { pg_sys::GetCurrentTransactionStartTimestamp() }
}
