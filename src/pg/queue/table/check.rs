//! Refuses a table `s2s.queue` that was changed by hand so that insertion does not serve it.

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::{PgTupleDesc, pg_sys};

use super::COLUMNS;
use crate::pg::sys::catalog;

/// Refuses a table that is not a plain heap: insertion writes heap pages directly.
pub fn storage(table: &pg_sys::FormData_pg_class) {
    if table.relkind as u8 != pg_sys::RELKIND_RELATION || table.relam != pg_sys::HEAP_TABLE_AM_OID {
        changed_by_hand("it is not an ordinary heap table");
    }
}

/// Refuses columns of other types than the extension's, and added ones that are NOT NULL.
///
/// # Safety
///
/// The relation is open.
#[allow(unsafe_code)]
pub unsafe fn columns(relation: pg_sys::Relation, action: pg_sys::Oid) {
    let expected: [pg_sys::Oid; COLUMNS] = [
        pg_sys::INT8OID,
        pg_sys::TEXTOID,
        action,
        pg_sys::TEXTOID,
        catalog::type_oid(c"click_id"),
        pg_sys::JSONBOID,
        pg_sys::TIMESTAMPTZOID,
        pg_sys::TIMESTAMPTZOID,
        pg_sys::INT4OID,
        pg_sys::TEXTOID,
    ];
    // SAFETY: an open relation has a descriptor, which is copied.
    let columns = unsafe { PgTupleDesc::from_pg_copy((*relation).rd_att) };
    let is_as_expected = |(column, expected): (&pg_sys::FormData_pg_attribute, &pg_sys::Oid)| {
        column.atttypid == *expected && !column.attisdropped
    };
    if columns.len() < COLUMNS || !columns.iter().zip(&expected).all(is_as_expected) {
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

/// Refuses a deferrable index: insertion checks uniqueness at once.
pub fn index(index: &pg_sys::FormData_pg_index) {
    if !index.indimmediate {
        changed_by_hand("an index of it is DEFERRABLE");
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
