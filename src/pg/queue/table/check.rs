//! Refuses a table `s2s.queue` that was changed by hand so that insertion does not serve it: an INSERT
//! would do something that insertion does not.

use std::ffi::CStr;
use std::ops::Range;

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

/// The CHECK constraints that the extension makes. All that is queued satisfies them.
const CHECKS: [&CStr; 3] = [
    c"attempts_is_not_negative",
    c"parameters_is_an_object",
    c"callbacks_of_dropped_servers_are_parked",
];

/// The indexes of `created_at`, `due_at` and `attempts`, which have a DEFAULT.
const WITH_DEFAULT: Range<usize> = 6..9;

/// The indexes of `click_id` and `last_error`, which can be NULL.
const NULLABLE: [usize; 2] = [4, 9];

/// Refuses columns of other types than the extension's, and constraints and defaults that it does not
/// make: neither are evaluated. Returns the index of the column `server_dropped_at`, which follows any
/// that a DBA has added before an update to 0.3.0.
///
/// # Safety
///
/// The relation is open.
#[allow(unsafe_code)]
pub unsafe fn columns(relation: pg_sys::Relation, action: pg_sys::Oid) -> Option<usize> {
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
    // SAFETY: an open relation has a descriptor, which is copied; of constraints, which it may have
    // none of, it has `num_check`, each with a NUL-terminated name.
    let (columns, checks) = unsafe {
        let descriptor = (*relation).rd_att;
        let checks = (*descriptor)
            .constr
            .as_ref()
            .map_or(Vec::new(), |constraints| {
                (0..usize::from(constraints.num_check))
                    .map(|number| CStr::from_ptr((*constraints.check.add(number)).ccname))
                    .collect()
            });
        (PgTupleDesc::from_pg_copy(descriptor), checks)
    };
    let is_as_expected = |(column, expected): (&pg_sys::FormData_pg_attribute, &pg_sys::Oid)| {
        column.atttypid == *expected && !column.attisdropped
    };
    if columns.len() < COLUMNS || !columns.iter().zip(&expected).all(is_as_expected) {
        changed_by_hand("its columns are not those of the extension");
    }
    if checks.iter().any(|name| !CHECKS.contains(name)) {
        changed_by_hand("a CHECK constraint was added");
    }
    for (index, column) in columns.iter().enumerate() {
        if column.attisdropped {
            continue;
        }
        if column.attnotnull && (index >= COLUMNS || NULLABLE.contains(&index)) {
            changed_by_hand("a column was made NOT NULL");
        }
        // A generated column has its expression as a default.
        if column.atthasdef && !WITH_DEFAULT.contains(&index) {
            changed_by_hand("a DEFAULT or a generated column was added");
        }
    }
    let is_mark = |column: &pg_sys::FormData_pg_attribute| {
        !column.attisdropped
            && column.atttypid == pg_sys::TIMESTAMPTZOID
            && catalog::name_text(&column.attname) == "server_dropped_at"
    };
    columns.iter().position(is_mark)
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
    .set_hint("Undo what was changed by hand. Further columns that can be NULL and have no DEFAULT, and indexes, are served.")
    .report(PgLogLevel::ERROR);
    unreachable!("an error ends the statement")
}
