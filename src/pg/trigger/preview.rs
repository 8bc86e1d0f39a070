//! `s2s.preview`: what a trigger would send for the rows that its table has.
//!
//! SQL reads the rows as the user, so that privileges and row security apply. They then go the same
//! way as in the trigger, up to the queue, but as the table's owner, whose code may run: a superuser
//! who previews a row does not lend that code any rights. A row that is not in the table, with its old
//! one, is for the owner to preview.

mod given;
mod table_slot;
mod when;

use std::ffi::CStr;
use std::rc::Rc;

use pgrx::pg_sys;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::spi::quote_qualified_identifier;

use self::table_slot::TableSlot;
use self::when::{SystemColumn, WhenClause};
use super::definition::Definition;
use super::plan::{Plan, Validation, plan_of};
use super::row::Row;
use crate::pg::error::{PgResult, report_in};
use crate::pg::server;
use crate::pg::sys::cursor::{Batch, Cursor};
use crate::pg::sys::memory::{OwnedContext, run_and_reset};
use crate::pg::sys::result_set::ResultSet;
use crate::pg::sys::user;
use crate::problem::Class;

/// # Safety
///
/// `fcinfo` is that of the current call.
#[pg_extern(sql = false)]
#[allow(unsafe_code)]
unsafe fn preview(
    table: Option<pg_sys::Oid>,
    trigger_name: Option<&CStr>,
    row_limit: Option<i32>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> PgResult<()> {
    // SAFETY: as the caller says; the function returns a table.
    let mut result = unsafe { ResultSet::of_call(fcinfo)? };
    let (Some(table), Some(name)) = (table, trigger_name) else {
        return Ok(());
    };
    if row_limit.is_some_and(i32::is_negative) {
        return Err(ErrorReport::new(
            PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
            "row_limit is negative",
            "s2s",
        )
        .set_hint("NULL means all rows."));
    }
    Definition::find(
        table,
        |trigger| trigger.name() == name,
        |definition| push_rows(definition, row_limit, &mut result),
    )
    .unwrap_or_else(|| Err(no_such_trigger(name)))
}

fn no_such_trigger(name: &CStr) -> ErrorReport {
    ErrorReport::new(
        PgSqlErrorCode::ERRCODE_UNDEFINED_OBJECT,
        format!(
            "the table has no trigger \"{}\" that reports to a network",
            name.to_string_lossy()
        ),
        "s2s",
    )
    .set_hint("Name one that calls s2s.report_lead, s2s.report_sale or s2s.edit_transaction.")
}

/// Appends what the trigger would send for the table's rows.
fn push_rows(
    definition: &Definition,
    row_limit: Option<i32>,
    result: &mut ResultSet,
) -> PgResult<()> {
    let plan = usable_plan(definition)?;
    let owner = definition.table.owner();
    Spi::connect(|client| {
        let limit = row_limit.into_datum();
        let query = rows_query(definition);
        let mut cursor = Cursor::open(client, &query, pg_sys::INT4OID, limit);
        let mut preview = user::run_restricted_as(owner, || Preview::new(definition, plan));
        let mut push_all = |batch: &Batch| {
            user::run_restricted_as(owner, || {
                for row in 0..batch.len() {
                    pg_sys::check_for_interrupts!();
                    preview.push(batch, row, result);
                }
            });
        };
        while cursor.batch(&mut push_all).is_some() {}
        cursor.close();
    });
    Ok(())
}

/// The trigger's plan, if it can fire at all and the current user may use its server.
fn usable_plan(definition: &Definition) -> PgResult<Rc<Plan>> {
    let server = definition.trigger.arguments().into_iter().next();
    // Any other problem of the server is shown with every row.
    match server::find(server.as_deref()) {
        Err(problem) if problem.class == Class::InsufficientPrivilege => return Err(problem.into()),
        _ => {}
    }
    definition
        .check_timing()
        .map_err(|problem| report_in(&definition.description(), problem))?;
    Ok(plan_of(definition))
}

/// What shows a trigger's rows, as the table's owner.
struct Preview {
    plan: Rc<Plan>,
    when: Result<WhenClause, SystemColumn>,
    new: TableSlot,
    /// Reset for each row.
    memory: OwnedContext,
}

#[allow(unsafe_code)]
impl Preview {
    /// Made in the current memory context, which it must not outlive.
    fn new(definition: &Definition, plan: Rc<Plan>) -> Preview {
        Preview {
            plan,
            when: WhenClause::new(definition),
            new: TableSlot::new(&definition.table),
            memory: OwnedContext::of_subtransaction(c"s2s preview"),
        }
    }

    /// Lets OLD in WHEN be a row of a batch, as long as both live.
    fn set_old(&mut self, slot: &mut TableSlot, batch: &Batch, row: usize) {
        // SAFETY: the batch holds rows of the query.
        unsafe { slot.store(batch, row) };
        if let Ok(when) = &mut self.when {
            // SAFETY: the slot is one of the trigger's table.
            unsafe { when.set_old(slot.as_ptr()) };
        }
    }

    /// Appends what the trigger would send for a row of a batch.
    fn push(&mut self, batch: &Batch, row: usize, result: &mut ResultSet) {
        let Preview {
            plan,
            when,
            new,
            memory,
        } = self;
        // SAFETY: the batch holds rows of the query. What is allocated for a row is not used after it
        // is pushed, which copies it; it has the types of the function's columns.
        unsafe {
            new.store(batch, row);
            run_and_reset(memory.value(), || {
                let (url, problem) = match when {
                    Err(column) => (None, Some(column.to_string())),
                    Ok(when) if !when.is_true(new.as_ptr()) => (None, None),
                    Ok(_) => url_or_problem(plan, &Row::new(new.as_ptr(), plan.columns())),
                };
                let json = new.jsonb();
                result.push([Some(json), url.into_datum(), problem.into_datum()]);
            });
        }
    }
}

/// Reads the first `$1` rows of a trigger's table: the OID of the table that each is in, and its
/// columns. It calls no code of the table's owner.
fn rows_query(definition: &Definition) -> String {
    let table = definition.table;
    let table = quote_qualified_identifier(table.schema_name(), table.name());
    let only = match definition.reports_children() {
        true => "",
        false => "only ",
    };
    format!("select r.tableoid, r.* from {only}{table} as r limit $1")
}

/// Makes rows of a trigger's table from the JSON objects in `$1`, in their order; without the OID of
/// the table that each is in.
fn given_query(definition: &Definition) -> String {
    let table = definition.table;
    let table = quote_qualified_identifier(table.schema_name(), table.name());
    format!("select null::oid, r.* from jsonb_populate_recordset(null::{table}, $1) as r")
}

/// The URL, or the problem; neither if nothing would be queued.
fn url_or_problem(plan: &Plan, row: &Row) -> (Option<String>, Option<String>) {
    let parameters = plan.parameters(row);
    match plan.validate(row, &parameters) {
        Validation::Unattributed => (None, None),
        Validation::Valid => (plan.url(&parameters), None),
        Validation::Invalid(problem) => (None, Some(problem.one_line())),
    }
}
