//! A trigger's WHEN, for rows that are there already.

use std::ffi::CStr;
use std::fmt;

use pgrx::pg_sys;

use super::definition::Definition;

/// A trigger's WHEN, ready to be asked. Where it names the OLD row, that is NULL in every column:
/// a row is taken as if it had just become what it is.
pub struct When(Option<Condition>);

struct Condition {
    state: *mut pg_sys::ExprState,
    executor: *mut pg_sys::EState,
}

/// A system column that WHEN uses, which a row that is read does not have.
pub struct SystemColumn(String);

impl fmt::Display for SystemColumn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "WHEN uses the system column \"{}\", which only the trigger sees",
            self.0
        )
    }
}

impl When {
    /// Prepares it in the current memory context. What it calls with constants may run now.
    // The constants are of another type in PostgreSQL 14.
    #[allow(unsafe_code, clippy::unnecessary_cast)]
    pub fn new(definition: &Definition) -> Result<When, SystemColumn> {
        let condition = definition.trigger.tgqual;
        if condition.is_null() {
            return Ok(When(None));
        }
        // SAFETY: PostgreSQL keeps a trigger's condition as the text of a node, in which OLD and
        // NEW are the relations 1 and 2; the executor looks for them in an expression's inner and
        // outer row.
        unsafe {
            let node = pg_sys::stringToNode(condition).cast::<pg_sys::Node>();
            if let Some(column) = system_column(node) {
                return Err(column);
            }
            for (from, to) in [
                (pg_sys::PRS2_OLD_VARNO, pg_sys::INNER_VAR),
                (pg_sys::PRS2_NEW_VARNO, pg_sys::OUTER_VAR),
            ] {
                pg_sys::ChangeVarNodes(node, from as i32, to as i32, 0);
            }
            let executor = pg_sys::CreateExecutorState();
            let list = pg_sys::make_ands_implicit(node.cast());
            let state = pg_sys::ExecPrepareQual(list, executor);
            let row = pg_sys::MakePerTupleExprContext(executor);
            let nothing = definition.new_slot();
            (*row).ecxt_innertuple = pg_sys::ExecStoreAllNullTuple(nothing);
            Ok(When(Some(Condition { state, executor })))
        }
    }

    /// Whether it is true for a row.
    #[allow(unsafe_code)]
    pub fn holds(&self, row: *mut pg_sys::TupleTableSlot) -> bool {
        let Some(condition) = &self.0 else {
            return true;
        };
        // SAFETY: the slot has the table's columns; the executor was prepared for such rows.
        unsafe {
            let context = (*condition.executor).es_per_tuple_exprcontext;
            (*context).ecxt_outertuple = row;
            pg_sys::ExecQualAndReset(condition.state, context)
        }
    }
}

/// A system column that a condition uses, but for the table of NEW, which is known.
///
/// # Safety
///
/// `condition` is a trigger's, as PostgreSQL keeps it.
// The constants are of another type in PostgreSQL 14.
#[allow(unsafe_code, clippy::unnecessary_cast)]
unsafe fn system_column(condition: *mut pg_sys::Node) -> Option<SystemColumn> {
    let known = [
        (pg_sys::PRS2_OLD_VARNO, 0),
        (pg_sys::PRS2_NEW_VARNO, pg_sys::TableOidAttributeNumber),
    ];
    known.into_iter().find_map(|(row, known)| {
        let mut columns = std::ptr::null_mut();
        // SAFETY: as the caller says. The set holds the numbers of columns, less a number that is
        // below all of them; system columns are those below zero, and have names.
        unsafe {
            pg_sys::pull_varattnos(condition, row as _, &mut columns);
            let mut member = -1;
            loop {
                member = pg_sys::bms_next_member(columns, member);
                let column = member + pg_sys::FirstLowInvalidHeapAttributeNumber;
                if member < 0 || column >= 0 {
                    return None;
                }
                if column != known {
                    let definition = pg_sys::SystemAttributeDefinition(column as i16);
                    let name = CStr::from_ptr((*definition).attname.data.as_ptr());
                    return Some(SystemColumn(name.to_string_lossy().into_owned()));
                }
            }
        }
    })
}
