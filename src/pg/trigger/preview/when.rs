//! A trigger's WHEN, for rows that the table has already.

use std::ffi::CStr;
use std::fmt;

use pgrx::pg_sys;

use crate::pg::trigger::definition::Definition;

/// A trigger's WHEN, prepared for execution. Unless it is set, the OLD row is NULL in every column: a
/// row is taken as if it had just been inserted.
pub struct WhenClause(Option<Qual>);

struct Qual {
    state: *mut pg_sys::ExprState,
    executor: *mut pg_sys::EState,
}

/// A system column that WHEN uses, which a row that SQL reads does not have.
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

#[allow(unsafe_code)]
impl WhenClause {
    /// Prepares it in the current memory context, which it must not outlive. Functions that it calls
    /// with constants may run now.
    pub fn new(definition: &Definition) -> Result<WhenClause, SystemColumn> {
        let Some(when) = definition.trigger.when() else {
            return Ok(WhenClause(None));
        };
        // SAFETY: PostgreSQL keeps WHEN as an expression tree in which OLD and NEW are the range
        // table entries 1 and 2; it replaces them itself by those that stand for the inner and the
        // outer tuple of an expression context.
        unsafe {
            let node = pg_sys::stringToNode(when.as_ptr()).cast::<pg_sys::Node>();
            if let Some(column) = system_column(node) {
                return Err(column);
            }
            for (from, to) in [
                (pg_sys::PRS2_OLD_VARNO, pg_sys::INNER_VAR),
                (pg_sys::PRS2_NEW_VARNO, pg_sys::OUTER_VAR),
            ] {
                pg_sys::ChangeVarNodes(node, from as i32, to, 0);
            }
            let executor = pg_sys::CreateExecutorState();
            let list = pg_sys::make_ands_implicit(node.cast());
            let state = pg_sys::ExecPrepareQual(list, executor);
            let context = pg_sys::MakePerTupleExprContext(executor);
            let old = definition.table.new_slot();
            (*context).ecxt_innertuple = pg_sys::ExecStoreAllNullTuple(old);
            Ok(WhenClause(Some(Qual { state, executor })))
        }
    }

    /// Sets the OLD row.
    ///
    /// # Safety
    ///
    /// As long as this is used, the slot holds a row of the trigger's table.
    pub unsafe fn set_old(&mut self, row: *mut pg_sys::TupleTableSlot) {
        if let Some(qual) = &self.0 {
            // SAFETY: the executor state has the context that `new` has made.
            unsafe { (*(*qual.executor).es_per_tuple_exprcontext).ecxt_innertuple = row };
        }
    }

    /// Whether it is true for a row.
    ///
    /// # Safety
    ///
    /// The slot holds a row of the trigger's table.
    pub unsafe fn is_true(&self, row: *mut pg_sys::TupleTableSlot) -> bool {
        let Some(qual) = &self.0 else {
            return true;
        };
        // SAFETY: the row has the columns that the expression was made for.
        unsafe {
            let context = (*qual.executor).es_per_tuple_exprcontext;
            (*context).ecxt_outertuple = row;
            pg_sys::ExecQualAndReset(qual.state, context)
        }
    }
}

/// A system column that WHEN uses, other than `tableoid` of NEW, which the slot has.
///
/// # Safety
///
/// `when` is the expression tree of a trigger's WHEN.
#[allow(unsafe_code)]
unsafe fn system_column(when: *mut pg_sys::Node) -> Option<SystemColumn> {
    let allowed_columns = [
        (pg_sys::PRS2_OLD_VARNO, 0),
        (pg_sys::PRS2_NEW_VARNO, pg_sys::TableOidAttributeNumber),
    ];
    allowed_columns.into_iter().find_map(|(row, allowed)| {
        let mut columns = std::ptr::null_mut();
        // SAFETY: `pull_varattnos` makes a set of the attribute numbers, each less
        // FirstLowInvalidHeapAttributeNumber. Those below zero are system columns, whose definitions
        // are constants of PostgreSQL's.
        unsafe {
            pg_sys::pull_varattnos(when, row as _, &mut columns);
            let mut member = -1;
            loop {
                member = pg_sys::bms_next_member(columns, member);
                let column = member + pg_sys::FirstLowInvalidHeapAttributeNumber;
                if member < 0 || column >= 0 {
                    return None;
                }
                if column != allowed {
                    let definition = pg_sys::SystemAttributeDefinition(column as i16);
                    let name = CStr::from_ptr((*definition).attname.data.as_ptr());
                    return Some(SystemColumn(name.to_string_lossy().into_owned()));
                }
            }
        }
    })
}
