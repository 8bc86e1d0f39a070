//! Triggers: rows become callbacks.
//!
//! A trigger's arguments are compiled into a [`Plan`](plan::Plan), strictly when it is created
//! (`ddl.rs`), as well as they can be when it fires. A row trigger queues one callback, a
//! statement trigger reads its transition table and queues many at once. Both turn rows into text
//! as the user; only the insertion is ours.

use pgrx::pg_sys;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use crate::callback::Action;
use crate::pg::error::{PgResult, report_in};
use crate::pg::queue::{self, Bulk};
use crate::pg::settings;

mod ddl;
mod definition;
mod earlier;
mod plan;
mod preview;
mod row;
mod when;

pub use definition::{Column, Definition, TriggerProblem, place};
pub use plan::{Outcome, Plan, plan_of};
pub use when::When;

#[pg_extern(sql = false)]
fn report_lead_trigger(fcinfo: pg_sys::FunctionCallInfo) -> PgResult<()> {
    fire(fcinfo, Action::Lead)
}

#[pg_extern(sql = false)]
fn report_sale_trigger(fcinfo: pg_sys::FunctionCallInfo) -> PgResult<()> {
    fire(fcinfo, Action::Sale)
}

#[pg_extern(sql = false)]
fn edit_transaction_trigger(fcinfo: pg_sys::FunctionCallInfo) -> PgResult<()> {
    fire(fcinfo, Action::Edit)
}

#[allow(unsafe_code)]
fn fire(fcinfo: pg_sys::FunctionCallInfo, action: Action) -> PgResult<()> {
    // SAFETY: PostgreSQL calls a trigger function with TriggerData as its context; that is
    // looked at only if it is one. All it points to is valid during the call.
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
            trigger: &*data.tg_trigger,
            table: data.tg_relation,
            action,
        };
        if let Err(problem) = definition.check_timing() {
            return Err(report_in(&definition.place(), &problem));
        }
        if !settings::enabled() || !is_to_be_reported(&definition) {
            return Ok(());
        }
        let plan = plan_of(&definition);
        if data.tg_event & pg_sys::TRIGGER_EVENT_ROW == 0 {
            return report_all(&plan, data.tg_newtable, data.tg_relation);
        }
        let is_update =
            data.tg_event & pg_sys::TRIGGER_EVENT_OPMASK == pg_sys::TRIGGER_EVENT_UPDATE;
        let slot = if is_update {
            data.tg_newslot
        } else {
            data.tg_trigslot
        };
        plan.report(&plan.row(slot), queue::enqueue_in_statement)
    }
}

/// Queues what the rows of a transition table have to say.
///
/// # Safety
///
/// `rows` holds rows of `table`, which is open.
#[allow(unsafe_code)]
unsafe fn report_all(
    plan: &Plan,
    rows: *mut pg_sys::Tuplestorestate,
    table: pg_sys::Relation,
) -> PgResult<()> {
    // SAFETY: as the caller says. Other triggers read the same rows, each at a place of its own.
    // A row that comes from a file is in the current context until the next one is fetched: that
    // context is not the one that is reset for each row.
    unsafe {
        let slot = pg_sys::MakeSingleTupleTableSlot((*table).rd_att, &pg_sys::TTSOpsMinimalTuple);
        let place = pg_sys::tuplestore_alloc_read_pointer(rows, pg_sys::EXEC_FLAG_REWIND as i32);
        pg_sys::tuplestore_select_read_pointer(rows, place);
        pg_sys::tuplestore_rescan(rows);
        let mut bulk = Bulk::default();
        while pg_sys::tuplestore_gettupleslot(rows, true, false, slot) {
            pg_sys::check_for_interrupts!();
            bulk.row(|bulk| plan.report(&plan.row(slot), |entry| bulk.add(entry)))?;
            pg_sys::tuplestore_select_read_pointer(rows, place);
        }
        bulk.finish();
        pg_sys::ExecDropSingleTupleTableSlot(slot);
    }
    Ok(())
}

/// Whether something is to be queued. A read-only transaction can write to temporary tables, whose
/// rows then go unreported, with a warning. Other rows that fire in one were written before it
/// became read-only: they are reported.
#[allow(unsafe_code)]
fn is_to_be_reported(definition: &Definition) -> bool {
    // SAFETY: reads a variable.
    if !unsafe { pg_sys::XactReadOnly } || !definition.is_temporary() {
        return true;
    }
    warning!(
        "{}: nothing is queued in a read-only transaction",
        definition.place()
    );
    false
}
