//! The table `s2s.queue` as insertion needs it: looked up once per session, and again when an
//! invalidation message says that the table or one of its indexes has changed.

mod check;

use std::cell::RefCell;
use std::ffi::CString;
use std::ops::Deref;
use std::rc::Rc;

use pgrx::pg_sys;
use pgrx::pg_sys::ffi::pg_guard_ffi_boundary;

use crate::callback::Action;
use crate::pg::sys::catalog;
use crate::pg::sys::invalidation::Dependencies;
use crate::pg::sys::memory::OwnedContext;

/// The number of columns of `s2s.queue`.
pub const COLUMNS: usize = 10;

/// What insertion needs to know of `s2s.queue`.
pub struct QueueTable {
    oid: pg_sys::Oid,
    sequence: pg_sys::Oid,
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
    static CACHED: RefCell<Option<Rc<QueueTable>>> = const { RefCell::new(None) };
}

#[allow(unsafe_code)]
unsafe extern "C-unwind" {
    /// `nextval` with a choice whether to check privileges; not in pgrx's bindings.
    fn nextval_internal(relid: pg_sys::Oid, check_permissions: bool) -> i64;
}

impl QueueTable {
    /// The session's, looked up if there is none that is still valid.
    pub fn current() -> Rc<QueueTable> {
        let cached = CACHED.with_borrow(|cached| {
            let cached = cached.as_ref()?;
            cached.dependencies.are_unchanged().then(|| cached.clone())
        });
        cached.unwrap_or_else(|| {
            let table = Rc::new(QueueTable::look_up());
            let old = CACHED.replace(Some(table.clone()));
            // Frees memory of PostgreSQL's: not while the cell is borrowed.
            drop(old);
            table
        })
    }

    #[allow(unsafe_code)]
    fn look_up() -> QueueTable {
        let dependencies = Dependencies::everything();
        let memory = OwnedContext::of_session(c"s2s queue");
        let oid = catalog::existing_relation_oid(c"queue");
        let action = catalog::type_oid(c"action");
        // SAFETY: `table_open` raises an error unless it opens a table; that stays open until
        // `table_close`. What is kept is allocated in `memory`, which lives as long as the result.
        unsafe {
            let relation = pg_sys::table_open(oid, pg_sys::RowExclusiveLock as i32);
            check::storage(&*(*relation).rd_rel);
            check::columns(relation, action);
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
                pg_sys::ExecCloseIndices(info);
                (
                    descriptor,
                    info,
                    indexes,
                    pg_sys::CreateExecutorState(),
                    pg_sys::MakeSingleTupleTableSlot(descriptor, &pg_sys::TTSOpsVirtual),
                )
            });
            pg_sys::table_close(relation, pg_sys::NoLock as i32);
            let relations = [vec![oid], indexes.clone()].concat();
            QueueTable {
                oid,
                sequence: catalog::relation_oid(c"queue_id_seq"),
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

    /// The next callback's id, also in a database transaction that has become read-only since it
    /// wrote the row that is reported.
    #[allow(unsafe_code)]
    pub fn next_id(&self) -> i64 {
        // SAFETY: the sequence belongs to the table. XactReadOnly is a variable of the database
        // transaction; after an error the abort of that, or of the subtransaction, restores it.
        unsafe {
            let is_read_only = pg_sys::XactReadOnly;
            pg_sys::XactReadOnly = false;
            let id = pg_guard_ffi_boundary(|| nextval_internal(self.sequence, false));
            pg_sys::XactReadOnly = is_read_only;
            id
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
        loop {
            let open = OpenQueueTable(QueueTable::current());
            let lock = pg_sys::RowExclusiveLock as i32;
            // SAFETY: `info` and its array, which has an element for each index, live as long as
            // `open`. The indexes of the array stay those to be maintained while the table is locked:
            // CREATE and DROP INDEX, also CONCURRENTLY, wait for transactions with this lock.
            unsafe {
                let info = open.0.info;
                (*info).ri_RelationDesc = pg_sys::table_open(open.0.oid, lock);
                // Taking a lock processes invalidation messages.
                if !open.0.dependencies.are_unchanged() {
                    pg_sys::table_close((*info).ri_RelationDesc, pg_sys::NoLock as i32);
                    continue;
                }
                for (number, index) in open.0.indexes.iter().enumerate() {
                    *(*info).ri_IndexRelationDescs.add(number) = pg_sys::index_open(*index, lock);
                }
            }
            // So does locking the indexes.
            if open.0.dependencies.are_unchanged() {
                return open;
            }
            open.close();
        }
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
    /// The slot holds a tuple that was just inserted into the table, with its `tts_tid`.
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

    /// Closes them; the locks are kept until the database transaction ends.
    #[allow(unsafe_code)]
    pub fn close(self) {
        // SAFETY: `new` opened the table and all indexes.
        unsafe {
            let info = self.0.info;
            for number in 0..self.0.indexes.len() {
                let index = *(*info).ri_IndexRelationDescs.add(number);
                #[cfg(any(feature = "pg17", feature = "pg18"))]
                pg_sys::index_insert_cleanup(index, *(*info).ri_IndexRelationInfo.add(number));
                pg_sys::index_close(index, pg_sys::NoLock as i32);
            }
            pg_sys::table_close((*info).ri_RelationDesc, pg_sys::NoLock as i32);
        }
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
