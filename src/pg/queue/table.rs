//! The table `s2s.queue` as insertion needs it: looked up once per session, and again when an
//! invalidation message says that the table or one of its indexes has changed.
//!
//! The locks come first. While they are held no column, constraint or index comes or goes, so that
//! what is looked up under them is right, whatever message is processed from there on. What was
//! looked up before is used only if it is unchanged with everything open. So there is one look-up at
//! most each time the table is opened.

mod check;

use std::cell::Cell;
use std::ffi::CString;
use std::ops::Deref;
use std::rc::Rc;

use pgrx::pg_sys;

use super::ids::Ids;
use crate::callback::Action;
use crate::pg::sys::catalog;
use crate::pg::sys::invalidation::Dependencies;
use crate::pg::sys::memory::OwnedContext;

/// The number of columns of `s2s.queue` that each callback has values of.
pub const COLUMNS: usize = 10;

/// What insertion needs to know of `s2s.queue`.
pub struct QueueTable {
    pub ids: Ids,
    /// The number of that column, from 0; a table that is not updated to 0.3.0 yet has none.
    pub server_dropped_at: Option<usize>,
    /// The OIDs of the labels of `s2s.action`, in the order of [`Action::ALL`].
    labels: [pg_sys::Oid; Action::ALL.len()],
    descriptor: pg_sys::TupleDesc,
    /// What the executor keeps of the table and its indexes. Its relations are open only within an
    /// [`OpenQueueTable`].
    info: *mut pg_sys::ResultRelInfo,
    indexes: Vec<pg_sys::Oid>,
    executor: *mut pg_sys::EState,
    /// For one tuple at a time.
    slot: *mut pg_sys::TupleTableSlot,
    /// The table and its indexes: what an index keeps between insertions points into its relcache
    /// entry.
    dependencies: Dependencies,
    /// Holds all that the pointers point to.
    _memory: OwnedContext,
}

thread_local! {
    /// What the session has looked up. An open table is not in here: an index can call functions,
    /// and what those queue must not go through the same slot.
    static CACHED: Cell<Option<Rc<QueueTable>>> = const { Cell::new(None) };
}

/// Writing locks the table and its indexes in this way.
const LOCK: pg_sys::LOCKMODE = pg_sys::RowExclusiveLock as pg_sys::LOCKMODE;

/// The lock stays until the database transaction ends.
const KEEP_LOCK: pg_sys::LOCKMODE = pg_sys::NoLock as pg_sys::LOCKMODE;

impl QueueTable {
    /// Looks the table and its indexes up, and leaves the indexes open, locked as the table is.
    ///
    /// # Safety
    ///
    /// The relation is `s2s.queue`, open and locked for insertion.
    #[allow(unsafe_code)]
    unsafe fn look_up(relation: pg_sys::Relation) -> QueueTable {
        let dependencies = Dependencies::everything();
        let memory = OwnedContext::of_session(c"s2s queue");
        let action = catalog::type_oid(c"action");
        // SAFETY: the relation is open, as the caller says. What is kept is allocated in `memory`,
        // which lives as long as the result.
        unsafe {
            check::storage(&*(*relation).rd_rel);
            let server_dropped_at = check::columns(relation, action);
            let (descriptor, info, indexes, executor, slot) = memory.switch_to(|| {
                let descriptor = pg_sys::CreateTupleDescCopy((*relation).rd_att);
                let info = pg_sys::palloc0(size_of::<pg_sys::ResultRelInfo>())
                    .cast::<pg_sys::ResultRelInfo>();
                pg_sys::InitResultRelInfo(info, relation, 1, std::ptr::null_mut(), 0);
                pg_sys::ExecOpenIndices(info, false);
                let indexes: Vec<_> = (0..(*info).ri_NumIndices as usize)
                    .map(|number| *(*info).ri_IndexRelationDescs.add(number))
                    .inspect(|index| check::index(&*(**index).rd_index))
                    .map(|index| (*index).rd_id)
                    .collect();
                (
                    descriptor,
                    info,
                    indexes,
                    pg_sys::CreateExecutorState(),
                    pg_sys::MakeSingleTupleTableSlot(descriptor, &pg_sys::TTSOpsVirtual),
                )
            });
            let relations = [vec![(*relation).rd_id], indexes.clone()].concat();
            QueueTable {
                ids: Ids(catalog::relation_oid(c"queue_id_seq")),
                server_dropped_at,
                labels: Action::ALL.map(|label| label_oid(action, label)),
                descriptor,
                info,
                indexes,
                executor,
                slot,
                dependencies: dependencies.only(relations, false),
                _memory: memory,
            }
        }
    }

    /// The value of the column `action`.
    pub fn label(&self, action: Action) -> pg_sys::Datum {
        pg_sys::Datum::from(self.labels[action as usize])
    }

    /// The table's tuple descriptor: a copy without a reference count.
    pub fn descriptor(&self) -> pg_sys::TupleDesc {
        self.descriptor
    }
}

/// The queue and its indexes, open for insertion. After an error PostgreSQL closes them.
pub struct OpenQueueTable(Rc<QueueTable>);

impl OpenQueueTable {
    /// Opens them.
    #[allow(unsafe_code)]
    pub fn new() -> OpenQueueTable {
        // SAFETY: a relation that is locked and there can be opened; it stays open until `close`.
        unsafe {
            let relation = pg_sys::table_open(lock_queue(), KEEP_LOCK);
            if let Some(open) = OpenQueueTable::cached(relation) {
                return open;
            }
            OpenQueueTable(Rc::new(QueueTable::look_up(relation)))
        }
    }

    /// Opens the indexes as they were looked up, if that is still right.
    ///
    /// # Safety
    ///
    /// The relation is `s2s.queue`, open and locked for insertion.
    #[allow(unsafe_code)]
    unsafe fn cached(relation: pg_sys::Relation) -> Option<OpenQueueTable> {
        let table = CACHED.take()?;
        // Taking the lock on the table has processed invalidation messages.
        if !table.dependencies.are_unchanged() {
            return None;
        }
        let open = OpenQueueTable(table);
        // SAFETY: `info` and its array, which has an element for each index, live as long as `open`.
        // The indexes of the array are those of the table, which is locked and unchanged: CREATE and
        // DROP INDEX, also CONCURRENTLY, wait for transactions with this lock.
        unsafe {
            let info = open.0.info;
            (*info).ri_RelationDesc = relation;
            for (number, index) in open.0.indexes.iter().enumerate() {
                *(*info).ri_IndexRelationDescs.add(number) = pg_sys::index_open(*index, LOCK);
            }
        }
        // So has taking the locks on the indexes.
        if open.0.dependencies.are_unchanged() {
            return Some(open);
        }
        open.close_indexes();
        None
    }

    /// The open table.
    #[allow(unsafe_code)]
    pub fn relation(&self) -> pg_sys::Relation {
        // SAFETY: `info` lives as long as `self`.
        unsafe { (*self.0.info).ri_RelationDesc }
    }

    /// A virtual slot for one tuple at a time.
    pub fn slot(&self) -> *mut pg_sys::TupleTableSlot {
        self.0.slot
    }

    /// Inserts the index entries of a tuple.
    ///
    /// # Safety
    ///
    /// The slot holds a tuple that was just inserted into the table, with its table and tuple id.
    #[allow(unsafe_code)]
    pub unsafe fn insert_into_indexes(&self, slot: *mut pg_sys::TupleTableSlot) {
        let executor = self.0.executor;
        // SAFETY: the slot is as the caller says; the indexes in `info` are open. The per-tuple
        // memory is used for this tuple only.
        unsafe {
            pg_sys::ExecInsertIndexTuples(
                self.0.info,
                slot,
                executor,
                false,
                false,
                std::ptr::null_mut(),
                std::ptr::null_mut(),
                #[cfg(any(feature = "pg16", feature = "pg17", feature = "pg18"))]
                false,
            );
            let per_tuple = (*executor).es_per_tuple_exprcontext;
            if !per_tuple.is_null() {
                pg_sys::MemoryContextReset((*per_tuple).ecxt_per_tuple_memory);
            }
        }
    }

    /// Closes them, and returns what the session keeps of them. The locks are kept until the database
    /// transaction ends.
    #[allow(unsafe_code)]
    pub fn close(self) -> Rc<QueueTable> {
        self.close_indexes();
        // SAFETY: `new` opened the table.
        unsafe { pg_sys::table_close(self.relation(), KEEP_LOCK) };
        CACHED.set(Some(self.0.clone()));
        self.0
    }

    #[allow(unsafe_code)]
    fn close_indexes(&self) {
        // SAFETY: all indexes of the array are open.
        unsafe {
            let info = self.0.info;
            for number in 0..self.0.indexes.len() {
                let index = *(*info).ri_IndexRelationDescs.add(number);
                #[cfg(any(feature = "pg17", feature = "pg18"))]
                pg_sys::index_insert_cleanup(index, *(*info).ri_IndexRelationInfo.add(number));
                pg_sys::index_close(index, KEEP_LOCK);
            }
        }
    }
}

/// Locks `s2s.queue` for insertion, and returns its OID.
#[allow(unsafe_code)]
fn lock_queue() -> pg_sys::Oid {
    loop {
        pg_sys::check_for_interrupts!();
        let queue = catalog::existing_relation_oid(c"queue");
        // SAFETY: any OID can be locked, within a database transaction.
        unsafe { pg_sys::LockRelationOid(queue, LOCK) };
        // While this waited, the extension may have been dropped and created again.
        if catalog::relation_oid(c"queue") == queue {
            return queue;
        }
        // SAFETY: it was locked above.
        unsafe { pg_sys::UnlockRelationOid(queue, LOCK) };
    }
}

impl Deref for OpenQueueTable {
    type Target = QueueTable;

    fn deref(&self) -> &QueueTable {
        &self.0
    }
}

fn label_oid(action_type: pg_sys::Oid, action: Action) -> pg_sys::Oid {
    let label = CString::new(action.name()).expect("a label has no zero bytes");
    catalog::enum_label_oid(action_type, &label)
}
