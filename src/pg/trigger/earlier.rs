//! The columns of a table as they were before the current command.
//!
//! The catalogs keep what a command replaces until nobody can see it any more. The snapshot that
//! the command started with says which of its transaction's commands came before it.

use pgrx::pg_sys;

use super::definition::Column;

/// The columns that a table had before the current command, less dropped ones.
#[allow(unsafe_code)]
pub fn columns(table: pg_sys::Oid) -> Vec<Column> {
    let mut columns = Vec::new();
    // SAFETY: a scan of a catalog within a transaction, by the index on table and number. The
    // registered snapshot is a copy of our own; an error unregisters it. A row is copied before
    // the next one is fetched.
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
            let row = pg_sys::systable_getnext(scan);
            if row.is_null() {
                break;
            }
            let attribute = &*pg_sys::GETSTRUCT(row).cast::<pg_sys::FormData_pg_attribute>();
            if let Ok(number @ 1..) = usize::try_from(attribute.attnum)
                && !attribute.attisdropped
            {
                columns.push(Column::new(number - 1, attribute));
            }
        }
        pg_sys::systable_endscan(scan);
        pg_sys::table_close(catalog, lock);
        pg_sys::UnregisterSnapshot(snapshot);
    }
    columns
}
