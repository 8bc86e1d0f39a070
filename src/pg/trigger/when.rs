//! A trigger's WHEN, for rows that are there already.

use pgrx::pg_sys;

use super::definition::Definition;

/// A trigger's WHEN, ready to be asked. Where it names the OLD row, that is NULL in every column:
/// a row is taken as if it had just become what it is.
pub struct When(Option<Condition>);

struct Condition {
    state: *mut pg_sys::ExprState,
    executor: *mut pg_sys::EState,
}

impl When {
    /// Prepares it in the current memory context.
    // The constants are of another type in PostgreSQL 14.
    #[allow(unsafe_code, clippy::unnecessary_cast)]
    pub fn new(definition: &Definition) -> When {
        let condition = definition.trigger.tgqual;
        if condition.is_null() {
            return When(None);
        }
        // SAFETY: PostgreSQL keeps a trigger's condition as the text of a node, in which OLD and
        // NEW are the relations 1 and 2; the executor looks for them in an expression's inner and
        // outer row.
        unsafe {
            let executor = pg_sys::CreateExecutorState();
            let node = pg_sys::stringToNode(condition).cast::<pg_sys::Node>();
            for (from, to) in [
                (pg_sys::PRS2_OLD_VARNO, pg_sys::INNER_VAR),
                (pg_sys::PRS2_NEW_VARNO, pg_sys::OUTER_VAR),
            ] {
                pg_sys::ChangeVarNodes(node, from as i32, to as i32, 0);
            }
            let list = pg_sys::make_ands_implicit(node.cast());
            let state = pg_sys::ExecPrepareQual(list, executor);
            let row = pg_sys::MakePerTupleExprContext(executor);
            let nothing = definition.new_slot();
            (*row).ecxt_innertuple = pg_sys::ExecStoreAllNullTuple(nothing);
            When(Some(Condition { state, executor }))
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
