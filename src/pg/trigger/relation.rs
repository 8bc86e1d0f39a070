//! A trigger and its table, as the relcache has them.

use std::ffi::CStr;
use std::marker::PhantomData;

use pgrx::{PgTupleDesc, pg_sys};

use super::column::Column;
use crate::pg::sys::catalog::{self, name_text};

/// A table that is open during `'a`.
#[derive(Clone, Copy)]
pub struct Table<'a> {
    relation: pg_sys::Relation,
    is_open: PhantomData<&'a pg_sys::RelationData>,
}

#[allow(unsafe_code)]
impl Table<'_> {
    /// # Safety
    ///
    /// The relation stays open during `'a`.
    pub unsafe fn new<'a>(relation: pg_sys::Relation) -> Table<'a> {
        Table {
            relation,
            is_open: PhantomData,
        }
    }

    /// Its tuple of `pg_class`.
    fn class(&self) -> &pg_sys::FormData_pg_class {
        // SAFETY: an open relation has one, which stays in place while it is open.
        unsafe { &*(*self.relation).rd_rel }
    }

    pub fn oid(&self) -> pg_sys::Oid {
        // SAFETY: the relation is open.
        unsafe { (*self.relation).rd_id }
    }

    pub fn owner(&self) -> pg_sys::Oid {
        self.class().relowner
    }

    /// Its name, without the schema.
    pub fn name(&self) -> String {
        name_text(&self.class().relname)
    }

    pub fn schema_name(&self) -> String {
        catalog::schema_name(self.class().relnamespace)
    }

    pub fn is_temporary(&self) -> bool {
        self.class().relpersistence as u8 == pg_sys::RELPERSISTENCE_TEMP
    }

    pub fn is_partitioned(&self) -> bool {
        self.class().relkind as u8 == pg_sys::RELKIND_PARTITIONED_TABLE
    }

    pub fn is_view(&self) -> bool {
        self.class().relkind as u8 == pg_sys::RELKIND_VIEW
    }

    /// The arguments that one of its triggers has now. Those that PostgreSQL passes to a trigger are as
    /// old as the statement; ALTER SERVER … RENAME changes them meanwhile.
    pub fn arguments_of(&self, trigger: pg_sys::Oid) -> Option<Vec<String>> {
        // SAFETY: the relation is open. Its triggers stay in place while nothing processes invalidation
        // messages: the arguments are copied. A TriggerDesc has `numtriggers` triggers.
        unsafe {
            let triggers = (*self.relation).trigdesc.as_ref()?;
            (0..triggers.numtriggers as usize)
                .map(|number| Trigger::new(triggers.triggers.add(number)))
                .find(|candidate| candidate.oid() == trigger)
                .map(|trigger| trigger.arguments())
        }
    }

    /// Reads the table's relcache entry anew, whatever messages have arrived.
    pub fn read_anew(&self) {
        // SAFETY: an open relation is read anew in place; nothing of it is borrowed here.
        unsafe { pg_sys::RelationCacheInvalidateEntry(self.oid()) };
    }

    /// Its columns, without dropped ones.
    pub fn columns(&self) -> Vec<Column> {
        let descriptor = self.descriptor();
        descriptor.iter().filter_map(Column::new).collect()
    }

    fn descriptor(&self) -> PgTupleDesc<'static> {
        // SAFETY: an open relation has a descriptor, which is copied.
        unsafe { PgTupleDesc::from_pg_copy((*self.relation).rd_att) }
    }

    /// A virtual slot for its rows, in the current memory context.
    pub fn new_slot(&self) -> *mut pg_sys::TupleTableSlot {
        // SAFETY: an open relation has a descriptor. The slot refers to a copy in the same context.
        unsafe {
            let descriptor = pg_sys::CreateTupleDescCopy((*self.relation).rd_att);
            pg_sys::MakeSingleTupleTableSlot(descriptor, &pg_sys::TTSOpsVirtual)
        }
    }
}

/// A trigger that is valid during `'a`.
#[derive(Clone, Copy)]
pub struct Trigger<'a>(&'a pg_sys::Trigger);

#[allow(unsafe_code)]
impl<'a> Trigger<'a> {
    /// # Safety
    ///
    /// It is one of PostgreSQL's, which it points to with all its parts during `'a`.
    pub unsafe fn new(trigger: *const pg_sys::Trigger) -> Trigger<'a> {
        // SAFETY: as the caller says.
        Trigger(unsafe { &*trigger })
    }

    pub fn oid(&self) -> pg_sys::Oid {
        self.0.tgoid
    }

    pub fn name(&self) -> &'a CStr {
        // SAFETY: names of triggers are NUL-terminated.
        unsafe { CStr::from_ptr(self.0.tgname) }
    }

    /// The function that it calls.
    pub fn function(&self) -> pg_sys::Oid {
        self.0.tgfoid
    }

    pub fn is_disabled(&self) -> bool {
        self.0.tgenabled as u8 == pg_sys::TRIGGER_DISABLED
    }

    /// Whether `pg_trigger.tgtype` has a bit, one of `TRIGGER_TYPE_…`.
    pub fn has(&self, bit: u32) -> bool {
        u32::from(self.0.tgtype as u16) & bit != 0
    }

    /// Whether it has a transition table of new rows.
    pub fn has_new_table(&self) -> bool {
        !self.0.tgnewtable.is_null()
    }

    /// Its arguments, the server first.
    pub fn arguments(&self) -> Vec<String> {
        self.texts()
            .map(|argument| argument.to_string_lossy().into_owned())
            .collect()
    }

    /// Whether [`Trigger::arguments`] are these.
    pub fn has_arguments(&self, arguments: &[String]) -> bool {
        // Text of another encoding than UTF-8 is not what its bytes are.
        let is_same = |(text, argument): (&CStr, &String)| {
            text.to_bytes() == argument.as_bytes() || text.to_string_lossy() == argument.as_str()
        };
        self.texts().len() == arguments.len() && self.texts().zip(arguments).all(is_same)
    }

    fn texts(&self) -> impl ExactSizeIterator<Item = &'a CStr> {
        let Trigger(trigger) = *self;
        let count = usize::try_from(trigger.tgnargs).unwrap_or_default();
        // SAFETY: `tgargs` has `tgnargs` elements, each NUL-terminated.
        (0..count).map(|number| unsafe { CStr::from_ptr(*trigger.tgargs.add(number)) })
    }

    /// Its WHEN, as `nodeToString` writes an expression tree.
    pub fn when(&self) -> Option<&'a CStr> {
        // SAFETY: if there is one, it is NUL-terminated.
        (!self.0.tgqual.is_null()).then(|| unsafe { CStr::from_ptr(self.0.tgqual) })
    }
}

/// Calls `body` with a table and its triggers; `None` if the table does not exist.
#[allow(unsafe_code)]
pub fn with_triggers<R>(
    table: pg_sys::Oid,
    body: impl FnOnce(Table, Vec<Trigger>) -> R,
) -> Option<R> {
    let lock = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
    // SAFETY: the relation stays open until `body` has returned; `body` takes any lifetime, so it
    // returns nothing that refers to it. The triggers are a copy: PostgreSQL frees its own when it
    // processes an invalidation message of the table, which this lock allows. A TriggerDesc has
    // `numtriggers` triggers.
    unsafe {
        let relation = pg_sys::try_relation_open(table, lock);
        if relation.is_null() {
            return None;
        }
        let triggers = match pg_sys::CopyTriggerDesc((*relation).trigdesc).as_ref() {
            Some(copy) => (0..copy.numtriggers as usize)
                .map(|number| Trigger::new(copy.triggers.add(number)))
                .collect(),
            None => Vec::new(),
        };
        let result = body(Table::new(relation), triggers);
        pg_sys::relation_close(relation, lock);
        Some(result)
    }
}
