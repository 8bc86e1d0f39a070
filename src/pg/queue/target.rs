//! The table `s2s.queue` as insertion needs it: looked up once per session, kept while the table's
//! definition stands.

use std::cell::RefCell;
use std::ffi::CStr;
use std::ops::Deref;
use std::rc::Rc;

use pgrx::pg_sys::ffi::pg_guard_ffi_boundary;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::{PgTupleDesc, pg_sys};

use super::type_oid;
use crate::callback::Action;
use crate::pg::sys::invalidation::Watch;
use crate::pg::sys::memory::OwnedContext;

/// The columns of `s2s.queue`, by number.
pub const COLUMNS: usize = 10;

/// What insertion needs to know of the queue.
pub struct Target {
    table: pg_sys::Oid,
    sequence: pg_sys::Oid,
    /// The OIDs of the labels of `s2s.action`, in the order of [`Action::ALL`].
    labels: [pg_sys::Oid; Action::ALL.len()],
    descriptor: pg_sys::TupleDesc,
    /// What the executor keeps of the table and its indexes. Its relations are open only within an
    /// [`OpenTarget`].
    info: *mut pg_sys::ResultRelInfo,
    indexes: Vec<pg_sys::Oid>,
    executor: *mut pg_sys::EState,
    /// For one row at a time.
    slot: *mut pg_sys::TupleTableSlot,
    /// Over the table and its indexes: what an index keeps between insertions points into its
    /// cached definition.
    watch: Watch,
    /// Holds all that the pointers point to.
    _memory: OwnedContext,
}

thread_local! {
    static TARGET: RefCell<Option<Rc<Target>>> = const { RefCell::new(None) };
}

#[allow(unsafe_code)]
unsafe extern "C-unwind" {
    /// `nextval` without a check of rights; not in pgrx's bindings.
    fn nextval_internal(relid: pg_sys::Oid, check_permissions: bool) -> i64;
}

impl Target {
    /// The session's, looked up if there is none that still holds.
    pub fn current() -> Rc<Target> {
        let kept =
            TARGET.with_borrow(|target| target.clone().filter(|target| target.watch.holds()));
        kept.unwrap_or_else(|| {
            let target = Rc::new(Target::look_up());
            let old = TARGET.replace(Some(target.clone()));
            // Frees memory of PostgreSQL's: not while the cell is borrowed.
            drop(old);
            target
        })
    }

    #[allow(unsafe_code)]
    fn look_up() -> Target {
        let watch = Watch::start();
        let memory = OwnedContext::of_session(c"s2s queue");
        // SAFETY: catalog look-ups within a transaction; `s2s` exists where our functions do. The
        // table is open while it is looked at. What is allocated is in `memory`.
        unsafe {
            let schema = pg_sys::get_namespace_oid(c"s2s".as_ptr(), false);
            let table = pg_sys::get_relname_relid(c"queue".as_ptr(), schema);
            let sequence = pg_sys::get_relname_relid(c"queue_id_seq".as_ptr(), schema);
            let action = type_oid(c"action");
            let relation = pg_sys::table_open(table, pg_sys::RowExclusiveLock as i32);
            check_storage(&*(*relation).rd_rel);
            let target = memory.switch_to(|| {
                let descriptor = pg_sys::CreateTupleDescCopy((*relation).rd_att);
                let info = pg_sys::palloc0(size_of::<pg_sys::ResultRelInfo>())
                    .cast::<pg_sys::ResultRelInfo>();
                check_columns((*relation).rd_att);
                pg_sys::InitResultRelInfo(info, relation, 1, std::ptr::null_mut(), 0);
                pg_sys::ExecOpenIndices(info, false);
                let indexes: Vec<_> = (0..(*info).ri_NumIndices as usize)
                    .map(|at| *(*info).ri_IndexRelationDescs.add(at))
                    .inspect(|index| {
                        if !(*(**index).rd_index).indimmediate {
                            changed_by_hand("an index of it is DEFERRABLE");
                        }
                    })
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
            let (descriptor, info, indexes, executor, slot) = target;
            let relations = [vec![table], indexes.clone()].concat();
            Target {
                table,
                sequence,
                labels: Action::ALL.map(|label| label_oid(action, label)),
                descriptor,
                info,
                indexes,
                executor,
                slot,
                watch: watch.only(relations, false),
                _memory: memory,
            }
        }
    }

    /// The table.
    pub fn table(&self) -> pg_sys::Oid {
        self.table
    }

    /// A callback's new id, also in a transaction that became read-only after what it reports.
    #[allow(unsafe_code)]
    pub fn next_id(&self) -> i64 {
        // SAFETY: the sequence belongs to the table. The variable is the transaction's; an error
        // aborts that, or the subtransaction, which sets it back.
        unsafe {
            let is_read_only = pg_sys::XactReadOnly;
            pg_sys::XactReadOnly = false;
            let id = pg_guard_ffi_boundary(|| nextval_internal(self.sequence, false));
            pg_sys::XactReadOnly = is_read_only;
            id
        }
    }

    /// An action as the column `action` has it.
    pub fn label(&self, action: Action) -> pg_sys::Datum {
        pg_sys::Datum::from(self.labels[action as usize])
    }

    /// The table's columns: a copy, which nobody has to pin.
    pub fn descriptor(&self) -> pg_sys::TupleDesc {
        self.descriptor
    }
}

/// The queue and its indexes, open for insertion. After an error PostgreSQL closes them.
pub struct OpenTarget(Rc<Target>);

impl OpenTarget {
    /// Opens them.
    #[allow(unsafe_code)]
    pub fn new() -> OpenTarget {
        loop {
            let open = OpenTarget(Target::current());
            let lock = pg_sys::RowExclusiveLock as i32;
            // SAFETY: the table is locked, so that its indexes stay; the arrays have a place for
            // each index.
            unsafe {
                let info = open.0.info;
                (*info).ri_RelationDesc = pg_sys::table_open(open.0.table, lock);
                // Locking lets in what changed before.
                if !open.0.watch.holds() {
                    pg_sys::table_close((*info).ri_RelationDesc, pg_sys::NoLock as i32);
                    continue;
                }
                for (at, index) in open.0.indexes.iter().enumerate() {
                    *(*info).ri_IndexRelationDescs.add(at) = pg_sys::index_open(*index, lock);
                }
            }
            // So does locking the indexes.
            if open.0.watch.holds() {
                return open;
            }
            open.close();
        }
    }

    /// The open table.
    #[allow(unsafe_code)]
    pub fn relation(&self) -> pg_sys::Relation {
        // SAFETY: it lives as long as the target.
        unsafe { (*self.0.info).ri_RelationDesc }
    }

    /// A slot for one row at a time.
    pub fn slot(&self) -> *mut pg_sys::TupleTableSlot {
        self.0.slot
    }

    /// Inserts a row into the indexes in which it belongs.
    ///
    /// # Safety
    ///
    /// The slot holds a row that was just inserted into the table, with its place there.
    #[allow(unsafe_code)]
    pub unsafe fn insert_into_indexes(&self, slot: *mut pg_sys::TupleTableSlot) {
        let executor = self.0.executor;
        // SAFETY: as the caller says; the indexes are open. What the executor needs for one row is
        // freed with it.
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
            let row = (*executor).es_per_tuple_exprcontext;
            if !row.is_null() {
                pg_sys::MemoryContextReset((*row).ecxt_per_tuple_memory);
            }
        }
    }

    /// Closes them; the locks are kept until the transaction ends.
    #[allow(unsafe_code)]
    pub fn close(self) {
        // SAFETY: they are open.
        unsafe {
            let info = self.0.info;
            for at in 0..self.0.indexes.len() {
                let index = *(*info).ri_IndexRelationDescs.add(at);
                #[cfg(any(feature = "pg17", feature = "pg18"))]
                pg_sys::index_insert_cleanup(index, *(*info).ri_IndexRelationInfo.add(at));
                pg_sys::index_close(index, pg_sys::NoLock as i32);
            }
            pg_sys::table_close((*info).ri_RelationDesc, pg_sys::NoLock as i32);
        }
    }
}

impl Deref for OpenTarget {
    type Target = Target;

    fn deref(&self) -> &Target {
        &self.0
    }
}

/// Refuses a table that is no plain one: insertion goes to its pages directly.
fn check_storage(table: &pg_sys::FormData_pg_class) {
    if table.relkind as u8 != pg_sys::RELKIND_RELATION || table.relam != pg_sys::HEAP_TABLE_AM_OID {
        changed_by_hand("it is not an ordinary heap table");
    }
}

/// Refuses columns of other types than ours, and further ones that must not be NULL: only somebody
/// who changed the table by hand sees that.
#[allow(unsafe_code)]
fn check_columns(descriptor: pg_sys::TupleDesc) {
    let (action, click_id) = (type_oid(c"action"), type_oid(c"click_id"));
    let ours: [pg_sys::Oid; COLUMNS] = [
        pg_sys::INT8OID,
        pg_sys::TEXTOID,
        action,
        pg_sys::TEXTOID,
        click_id,
        pg_sys::JSONBOID,
        pg_sys::TIMESTAMPTZOID,
        pg_sys::TIMESTAMPTZOID,
        pg_sys::INT4OID,
        pg_sys::TEXTOID,
    ];
    // SAFETY: it is a descriptor.
    let columns = unsafe { PgTupleDesc::from_pg_copy(descriptor) };
    let is_ours = |(column, of): (&pg_sys::FormData_pg_attribute, &pg_sys::Oid)| {
        column.atttypid == *of && !column.attisdropped
    };
    if columns.len() < COLUMNS || !columns.iter().zip(&ours).all(is_ours) {
        changed_by_hand("its columns are not those of the extension");
    }
    if columns
        .iter()
        .skip(COLUMNS)
        .any(|column| column.attnotnull && !column.attisdropped)
    {
        changed_by_hand("a column that was added is NOT NULL");
    }
}

fn changed_by_hand(what: &str) -> ! {
    ErrorReport::new(
        PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
        format!("nothing can be queued in s2s.queue: {what}"),
        "s2s",
    )
    .set_hint("Undo what was changed by hand; further columns that can be NULL, and plain indexes, are served.")
    .report(PgLogLevel::ERROR);
    unreachable!("an error ends the statement")
}

/// The OID of a label of the enum `s2s.action`.
#[allow(unsafe_code)]
fn label_oid(action_type: pg_sys::Oid, action: Action) -> pg_sys::Oid {
    let label: &CStr = match action {
        Action::Lead => c"lead",
        Action::Sale => c"sale",
        Action::Edit => c"edit",
    };
    // SAFETY: a catalog look-up within a transaction.
    unsafe {
        pg_sys::GetSysCacheOid(
            pg_sys::SysCacheIdentifier::ENUMTYPOIDNAME as i32,
            pg_sys::Anum_pg_enum_oid as pg_sys::AttrNumber,
            pg_sys::Datum::from(action_type),
            pg_sys::Datum::from(label.as_ptr()),
            pg_sys::Datum::null(),
            pg_sys::Datum::null(),
        )
    }
}
