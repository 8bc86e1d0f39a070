//! The trigger functions.

use pgrx::pg_sys;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use super::definition::Definition;
use super::plan::{Plan, held_plan_of};
use super::relation::{Table, Trigger};
use super::row::Row;
use crate::callback::Action;
use crate::pg::error::{PgResult, report_in};
use crate::pg::queue::{self, BulkInsert};
use crate::pg::settings;

/// # Safety
///
/// See [`fire`].
#[pg_extern(sql = false)]
#[allow(unsafe_code)]
unsafe fn report_lead_trigger(fcinfo: pg_sys::FunctionCallInfo) -> PgResult<()> {
    // SAFETY: as the caller says.
    unsafe { fire(fcinfo, Action::Lead) }
}

/// # Safety
///
/// See [`fire`].
#[pg_extern(sql = false)]
#[allow(unsafe_code)]
unsafe fn report_sale_trigger(fcinfo: pg_sys::FunctionCallInfo) -> PgResult<()> {
    // SAFETY: as the caller says.
    unsafe { fire(fcinfo, Action::Sale) }
}

/// # Safety
///
/// See [`fire`].
#[pg_extern(sql = false)]
#[allow(unsafe_code)]
unsafe fn edit_transaction_trigger(fcinfo: pg_sys::FunctionCallInfo) -> PgResult<()> {
    // SAFETY: as the caller says.
    unsafe { fire(fcinfo, Action::Edit) }
}

/// # Safety
///
/// `fcinfo` is that of the current call.
#[allow(unsafe_code)]
unsafe fn fire(fcinfo: pg_sys::FunctionCallInfo, action: Action) -> PgResult<()> {
    // SAFETY: PostgreSQL passes null or a node as the context; its tag is checked. The trigger, the
    // open relation, slots and transition table of a TriggerData are valid during the call, and
    // its rows are rows of the relation.
    unsafe {
        let context = (*fcinfo).context;
        if context.is_null() || (*context).type_ != pg_sys::NodeTag::T_TriggerData {
            return Err(ErrorReport::new(
                PgSqlErrorCode::ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED,
                format!("{} was not called as a trigger", action.function()),
                "s2s",
            ));
        }
        let data = &*context.cast::<pg_sys::TriggerData>();
        let definition = Definition {
            trigger: Trigger::new(data.tg_trigger),
            table: Table::new(data.tg_relation),
            action,
        };
        if let Err(problem) = definition.check_timing() {
            return Err(report_in(&definition.description(), problem));
        }
        if !settings::enabled() || !is_reportable(&definition) {
            return Ok(());
        }
        let plan = held_plan_of(&definition);
        if data.tg_event & pg_sys::TRIGGER_EVENT_ROW == 0 {
            return report_new_table(&plan, &definition, data);
        }
        let is_update =
            data.tg_event & pg_sys::TRIGGER_EVENT_OPMASK == pg_sys::TRIGGER_EVENT_UPDATE;
        let slot = if is_update {
            data.tg_newslot
        } else {
            data.tg_trigslot
        };
        let row = Row::new(slot, plan.columns());
        plan.report(&definition, &row, queue::enqueue_in_statement)
    }
}

/// Queues the callbacks of a statement trigger's transition table.
///
/// # Safety
///
/// `data` is that of a call of a statement trigger with a transition table of new rows; `plan` is
/// the trigger's.
#[allow(unsafe_code)]
unsafe fn report_new_table(
    plan: &Plan,
    definition: &Definition,
    data: &pg_sys::TriggerData,
) -> PgResult<()> {
    let rows = data.tg_newtable;
    // SAFETY: the transition table holds rows of the relation, which is open. Other triggers read it
    // with read pointers of their own. Once it has spilled to disk, a row is in the current context
    // until the next is fetched: that is not the context that is reset for each row.
    unsafe {
        let slot = pg_sys::MakeSingleTupleTableSlot(
            (*data.tg_relation).rd_att,
            &pg_sys::TTSOpsMinimalTuple,
        );
        let read_pointer =
            pg_sys::tuplestore_alloc_read_pointer(rows, pg_sys::EXEC_FLAG_REWIND as i32);
        pg_sys::tuplestore_select_read_pointer(rows, read_pointer);
        pg_sys::tuplestore_rescan(rows);
        let mut bulk = BulkInsert::default();
        while pg_sys::tuplestore_gettupleslot(rows, true, false, slot) {
            pg_sys::check_for_interrupts!();
            bulk.row(|bulk| {
                let row = Row::new(slot, plan.columns());
                plan.report(definition, &row, |callback| bulk.add(callback))
            })?;
            pg_sys::tuplestore_select_read_pointer(rows, read_pointer);
        }
        bulk.finish();
        pg_sys::ExecDropSingleTupleTableSlot(slot);
    }
    Ok(())
}

/// Whether callbacks can be queued. A read-only database transaction can write to temporary tables:
/// their rows are not reported, with a warning. Rows of other tables were written before it became
/// read-only: they are reported.
#[allow(unsafe_code)]
fn is_reportable(definition: &Definition) -> bool {
    // SAFETY: reads a variable of PostgreSQL's, in its only thread.
    if !unsafe { pg_sys::XactReadOnly } || !definition.table.is_temporary() {
        return true;
    }
    warning!(
        "{}: nothing is queued in a read-only transaction",
        definition.description()
    );
    false
}
