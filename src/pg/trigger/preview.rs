//! `s2s.preview`: what a trigger would send for the rows that its table has.
//!
//! SQL reads the rows as the user, so that privileges and row security apply. They then go the same
//! way as in the trigger, up to the queue, but as the table's owner, whose code may run: a superuser
//! who previews a row does not lend that code any rights.

mod table_slot;
mod when;

use std::ffi::CStr;

use pgrx::pg_sys;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::spi::quote_qualified_identifier;

use self::table_slot::TableSlot;
use self::when::WhenClause;
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
#[allow(unsafe_code)]
fn push_rows(
    definition: &Definition,
    row_limit: Option<i32>,
    result: &mut ResultSet,
) -> PgResult<()> {
    let server = definition.trigger.arguments().into_iter().next();
    // Any other problem of the server is shown with every row.
    match server::find(server.as_deref()) {
        Err(problem) if problem.class == Class::InsufficientPrivilege => return Err(problem.into()),
        _ => {}
    }
    definition
        .check_timing()
        .map_err(|problem| report_in(&definition.description(), problem))?;
    let plan = plan_of(definition);
    let owner = definition.table.owner();
    let memory = OwnedContext::of_subtransaction(c"s2s preview");
    Spi::connect(|client| {
        let mut cursor = Cursor::open(client, &rows_query(definition), row_limit);
        let mut slot = TableSlot::new(&definition.table);
        let when = user::run_restricted_as(owner, || WhenClause::new(definition));
        let mut push = |batch: &Batch, row: usize| {
            // SAFETY: the batch holds rows of the query. What is allocated for a row is not used
            // after it is pushed, which copies it; it has the types of the function's columns.
            unsafe {
                slot.store(batch, row);
                run_and_reset(memory.value(), || {
                    let (url, problem) = match &when {
                        Err(column) => (None, Some(column.to_string())),
                        Ok(when) if !when.is_true(slot.as_ptr()) => (None, None),
                        Ok(_) => url_or_problem(&plan, &Row::new(slot.as_ptr(), plan.columns())),
                    };
                    let json = slot.jsonb();
                    result.push([Some(json), url.into_datum(), problem.into_datum()]);
                });
            }
        };
        let mut push_all = |batch: &Batch| {
            user::run_restricted_as(owner, || {
                for row in 0..batch.len() {
                    pg_sys::check_for_interrupts!();
                    push(batch, row);
                }
            });
        };
        while cursor.batch(&mut push_all).is_some() {}
        cursor.close();
    });
    Ok(())
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

/// The URL, or the problem; neither if nothing would be queued.
fn url_or_problem(plan: &Plan, row: &Row) -> (Option<String>, Option<String>) {
    let parameters = plan.parameters(row);
    match plan.validate(row, &parameters) {
        Validation::Unattributed => (None, None),
        Validation::Valid => (plan.url(&parameters), None),
        Validation::Invalid(problem) => (None, Some(problem.one_line())),
    }
}
