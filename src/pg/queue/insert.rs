//! Inserting callbacks into `s2s.queue` without SQL: the inserting role needs no rights on the
//! queue and gains none, and there is nothing to plan.
//!
//! What insertion needs to know of the table is looked up once per session and kept while the
//! table's definition stands ([`target`]). [`enqueue`] inserts one callback, [`Bulk`] those of a
//! whole statement, page by page. Both serve all indexes, those too that somebody else added.

use std::rc::Rc;

use pgrx::pg_sys;
use pgrx::prelude::*;

use super::target::{COLUMNS, OpenTarget, Target};
use crate::callback::{Action, Parameters};
use crate::delivery::{Columns, Timestamp};
use crate::pg::process::wake;
use crate::pg::sys::memory::{OwnedContext, once};

/// A callback to be queued.
pub struct Entry<'a> {
    /// The server's name.
    pub server: &'a str,
    /// What happened.
    pub action: Action,
    /// What is to be said.
    pub said: &'a Parameters<'a>,
    /// Why it cannot be sent: the callback is parked with this reason.
    pub problem: Option<&'a str>,
}

/// A row of the queue.
struct Row {
    id: i64,
    due_at: Timestamp,
    values: [pg_sys::Datum; COLUMNS],
    nulls: [bool; COLUMNS],
}

impl Row {
    /// The row of a callback that is queued at `now`. Its values are in the current memory context.
    fn new(target: &Target, entry: &Entry, now: Timestamp) -> Row {
        let columns = Columns::of(entry.action, entry.said);
        let parked = entry.problem.is_some();
        let id = target.next_id();
        // Of two callbacks of one transaction id, the one that is queued later is due later, even
        // if its transaction started earlier.
        let due_at = if parked { Timestamp::INFINITY } else { now };
        let datums: [Option<pg_sys::Datum>; COLUMNS] = [
            id.into_datum(),
            entry.server.into_datum(),
            Some(target.label(entry.action)),
            columns.transaction_id.into_datum(),
            columns
                .click_id
                .as_ref()
                .and_then(|id| id.as_str().into_datum()),
            Some(jsonb(columns.parameters)),
            Some(pg_sys::Datum::from(transaction_start())),
            Some(pg_sys::Datum::from(due_at.0)),
            0i32.into_datum(),
            entry.problem.and_then(|problem| problem.into_datum()),
        ];
        Row {
            id,
            due_at,
            values: datums.map(|datum| datum.unwrap_or(pg_sys::Datum::null())),
            nulls: datums.map(|datum| datum.is_none()),
        }
    }

    /// Stores the row in a slot, without a copy. Columns that somebody added are NULL.
    ///
    /// # Safety
    ///
    /// The slot has the queue's columns, and is cleared before the row's memory is.
    #[allow(unsafe_code)]
    unsafe fn store(&self, slot: *mut pg_sys::TupleTableSlot) {
        // SAFETY: as the caller says; the arrays have a place for each column.
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
            pg_sys::ExecStoreVirtualTuple(slot);
        }
    }
}

/// Inserts a callback, wakes the worker at commit, and returns the callback's id. The commit waits
/// until it is on disk.
#[allow(unsafe_code)]
pub fn enqueue(entry: &Entry) -> i64 {
    let open = OpenTarget::new();
    let row = Row::new(&open, entry, now());
    // SAFETY: the values are of the columns' types, in their order. The slot is cleared before
    // they are freed.
    unsafe {
        let slot = open.slot();
        row.store(slot);
        let tuple = pg_sys::ExecCopySlotHeapTuple(slot);
        pg_sys::simple_heap_insert(open.relation(), tuple);
        (*slot).tts_tid = (*tuple).t_self;
        open.insert_into_indexes(slot);
        pg_sys::ExecClearTuple(slot);
        pg_sys::heap_freetuple(tuple);
    }
    open.close();
    force_sync_commit();
    if entry.problem.is_none() {
        wake::at_commit(row.due_at);
    }
    row.id
}

/// So many callbacks are inserted at once, as COPY does.
const BULK_ROWS: usize = 1000;

/// At so many bytes of callbacks they are inserted, however few they are.
const BULK_BYTES: usize = 256 * 1024;

/// The callbacks of a statement, inserted many at once. Those that were added last are in the
/// queue only after [`Bulk::finish`].
pub struct Bulk {
    /// The queue when the first was added.
    target: Rc<Target>,
    /// Made as they are needed; the first `waiting` hold a callback each.
    slots: Vec<*mut pg_sys::TupleTableSlot>,
    waiting: usize,
    bytes: usize,
    /// Holds the slots and what is in them.
    memory: OwnedContext,
    /// Holds what a row leaves behind.
    row_memory: OwnedContext,
    /// When the first of them is due; parked ones never are.
    due_at: Timestamp,
}

impl Default for Bulk {
    /// Nothing to insert yet.
    fn default() -> Bulk {
        Bulk {
            target: Target::current(),
            slots: Vec::new(),
            waiting: 0,
            bytes: 0,
            memory: OwnedContext::of_subtransaction(c"s2s bulk"),
            row_memory: OwnedContext::of_subtransaction(c"s2s row"),
            due_at: Timestamp::INFINITY,
        }
    }
}

impl Bulk {
    /// Calls `add` for one row; what it allocates in PostgreSQL's memory is freed.
    #[allow(unsafe_code)]
    pub fn row<R>(&mut self, add: impl FnOnce(&mut Bulk) -> R) -> R {
        let row_memory = self.row_memory.value();
        // SAFETY: the context lives as long as `self`; nothing of the row is used afterwards: what
        // waits to be inserted was copied.
        unsafe { once(row_memory, || add(self)) }
    }

    /// Adds a callback and returns its id.
    #[allow(unsafe_code)]
    pub fn add(&mut self, entry: &Entry) -> i64 {
        let row = Row::new(&self.target, entry, now());
        if self.waiting == self.slots.len() {
            let descriptor = self.target.descriptor();
            // SAFETY: the descriptor lives as long as `self`.
            let slot = unsafe {
                self.memory.switch_to(|| {
                    pg_sys::MakeSingleTupleTableSlot(descriptor, &pg_sys::TTSOpsHeapTuple)
                })
            };
            self.slots.push(slot);
        }
        let slot = self.slots[self.waiting];
        // SAFETY: the slot has the queue's columns. What it holds is copied at once.
        unsafe {
            row.store(slot);
            pg_sys::ExecMaterializeSlot(slot);
            let mut is_ours = false;
            let tuple = pg_sys::ExecFetchSlotHeapTuple(slot, false, &mut is_ours);
            self.bytes += (*tuple).t_len as usize;
        }
        self.waiting += 1;
        self.due_at = self.due_at.min(row.due_at);
        if self.waiting == BULK_ROWS || self.bytes >= BULK_BYTES {
            self.flush();
        }
        row.id
    }

    /// Inserts what waits.
    #[allow(unsafe_code)]
    fn flush(&mut self) {
        let open = OpenTarget::new();
        let waiting = &mut self.slots[..self.waiting];
        // SAFETY: the slots hold rows of the queue. Their tuples are in memory that lives longer.
        unsafe {
            pg_sys::heap_multi_insert(
                open.relation(),
                waiting.as_mut_ptr(),
                waiting.len() as i32,
                pg_sys::GetCurrentCommandId(true),
                0,
                std::ptr::null_mut(),
            );
            for slot in waiting {
                open.insert_into_indexes(*slot);
                pg_sys::ExecClearTuple(*slot);
            }
        }
        open.close();
        self.waiting = 0;
        self.bytes = 0;
    }

    /// Inserts what is left and wakes the worker at commit, which waits until it is on disk.
    pub fn finish(mut self) {
        if self.slots.is_empty() {
            return;
        }
        if self.waiting > 0 {
            self.row(Bulk::flush);
        }
        force_sync_commit();
        if self.due_at < Timestamp::INFINITY {
            wake::at_commit(self.due_at);
        }
    }
}

/// Lets the commit of this transaction wait until it is on disk, even where commits are not to
/// wait: no network is told of what a crash undoes. Parked ones too: they may be sent later.
#[allow(unsafe_code)]
pub fn force_sync_commit() {
    // SAFETY: sets a flag of the current transaction, which the start of the next one clears.
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

/// A jsonb object of strings.
#[allow(unsafe_code)]
fn jsonb(mut pairs: Vec<(&str, &str)>) -> pg_sys::Datum {
    // The order in which jsonb keeps its keys: shorter ones first.
    pairs.sort_unstable_by_key(|(name, _)| (name.len(), *name));
    pairs.dedup_by_key(|(name, _)| *name);
    let string = |text: &str| {
        let mut value = pg_sys::JsonbValue {
            type_: pg_sys::jbvType::jbvString,
            ..Default::default()
        };
        value.val.string = pg_sys::JsonbValue__bindgen_ty_1__bindgen_ty_1 {
            len: text.len() as i32,
            val: text.as_ptr().cast_mut().cast(),
        };
        value
    };
    let mut pairs: Vec<pg_sys::JsonbPair> = pairs
        .into_iter()
        .map(|(name, text)| pg_sys::JsonbPair {
            key: string(name),
            value: string(text),
            order: 0,
        })
        .collect();
    let mut object = pg_sys::JsonbValue {
        type_: pg_sys::jbvType::jbvObject,
        ..Default::default()
    };
    object.val.object = pg_sys::JsonbValue__bindgen_ty_1__bindgen_ty_3 {
        nPairs: pairs.len() as i32,
        pairs: pairs.as_mut_ptr(),
    };
    // SAFETY: an object whose keys are sorted and unique, as it has to be; the texts are read
    // during the call only.
    unsafe { pg_sys::Datum::from(pg_sys::JsonbValueToJsonb(&mut object)) }
}
