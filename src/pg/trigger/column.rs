//! The columns of a table, as a mapping sees them.

use pgrx::pg_sys;

use crate::pg::sys::catalog::name_text;

#[derive(PartialEq, Eq, Hash)]
pub struct Column {
    /// Its index in a tuple, from 0.
    pub index: usize,
    pub name: String,
    pub type_oid: pg_sys::Oid,
    /// It is generated when it is read: a trigger does not see its value.
    pub is_virtual: bool,
}

/// `pg_attribute.attgenerated` of a virtual column, from PostgreSQL 18 on.
const ATTRIBUTE_GENERATED_VIRTUAL: u8 = b'v';

impl Column {
    /// The column of a tuple of `pg_attribute`; `None` for dropped and system columns.
    pub fn new(attribute: &pg_sys::FormData_pg_attribute) -> Option<Column> {
        let number = usize::try_from(attribute.attnum).ok()?;
        let index = number.checked_sub(1)?;
        (!attribute.attisdropped).then(|| Column {
            index,
            name: name_text(&attribute.attname),
            type_oid: attribute.atttypid,
            is_virtual: attribute.attgenerated as u8 == ATTRIBUTE_GENERATED_VIRTUAL,
        })
    }
}

/// The columns that a table had before the current command, without dropped ones.
///
/// PostgreSQL keeps the catalog tuples that a command replaces, and the snapshot that the command
/// started with still sees them: it knows which commands of its database transaction came before.
#[allow(unsafe_code)]
pub fn before_command(table: pg_sys::Oid) -> Vec<Column> {
    let mut columns = Vec::new();
    // SAFETY: a scan of a catalog within a database transaction, by the index on relation and
    // number, whose first column the key is for. The snapshot is a registered copy, which this
    // function may change; an error unregisters it. A tuple is copied before the next is fetched.
    unsafe {
        let snapshot = pg_sys::RegisterSnapshot(pg_sys::GetLatestSnapshot());
        if pg_sys::ActiveSnapshotSet() {
            (*snapshot).curcid = (*pg_sys::GetActiveSnapshot()).curcid;
        }
        let lock = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
        let catalog = pg_sys::table_open(pg_sys::AttributeRelationId, lock);
        let mut key = pg_sys::ScanKeyData::default();
        pg_sys::ScanKeyInit(
            &mut key,
            pg_sys::Anum_pg_attribute_attrelid as pg_sys::AttrNumber,
            pg_sys::BTEqualStrategyNumber as pg_sys::StrategyNumber,
            pg_sys::F_OIDEQ.into(),
            pg_sys::Datum::from(table),
        );
        let index = pg_sys::AttributeRelidNumIndexId.into();
        let scan = pg_sys::systable_beginscan(catalog, index, true, snapshot, 1, &mut key);
        loop {
            let tuple = pg_sys::systable_getnext(scan);
            if tuple.is_null() {
                break;
            }
            let attribute = pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_attribute>();
            columns.extend(Column::new(&*attribute));
        }
        pg_sys::systable_endscan(scan);
        pg_sys::table_close(catalog, lock);
        pg_sys::UnregisterSnapshot(snapshot);
    }
    columns
}
