//! `s2s.preview`: what a trigger would send for rows that are there already.
//!
//! The rows are read as the user, by SQL, so that rights and row security hold. They go the same
//! way as in the trigger, up to the queue.

use std::ffi::CStr;

use pgrx::pg_sys;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::spi;

use super::error::{PgResult, spi as spi_error};
use super::queue;
use super::rows::Rows;
use super::server::{self, ServerProblem};
use super::trigger::{Column, Definition, Outcome, Plan, When, plan_of};

#[pg_extern(sql = "
create function s2s.preview(\"table\" regclass, trigger_name name, row_limit integer default 10)
    returns table(row_data jsonb, url text, problem text)
    language c volatile parallel unsafe
    as 'MODULE_PATHNAME', 'preview_wrapper';
")]
fn preview(
    table: Option<pg_sys::Oid>,
    trigger_name: Option<&CStr>,
    row_limit: Option<i32>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> PgResult<()> {
    // SAFETY: this is the call, of a function that returns a table.
    #[allow(unsafe_code)]
    let mut rows = unsafe { Rows::of_call(fcinfo)? };
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
        // SAFETY: trigger names are NUL-terminated.
        #[allow(unsafe_code)]
        |trigger| unsafe { CStr::from_ptr(trigger.tgname) } == name,
        |found| match found {
            Some(definition) => push_rows(&definition, row_limit, &mut rows),
            None => Err(no_such_trigger(name)),
        },
    )
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
fn push_rows(definition: &Definition, row_limit: Option<i32>, rows: &mut Rows) -> PgResult<()> {
    let server = definition.arguments().into_iter().next();
    // Any other problem of the server's is one of every row.
    if let Err(problem @ ServerProblem::NotAllowed(_)) = server::find(server.as_deref()) {
        return Err(problem.into());
    }
    let plan = plan_of(definition);
    let query = queue::preview_rows(
        &definition.schema_name(),
        &definition.table_name(),
        definition.is_partitioned(),
    );
    let slot = definition.new_slot();
    let columns = definition.columns();
    let when = When::new(definition);
    let mut push = || -> spi::Result<()> {
        Spi::connect(|client| {
            let count = client.select(&query, None, &[row_limit.into()])?.len();
            for row in 0..count {
                let json = store(row, &columns, slot);
                let (url, problem) = match when.holds(slot) {
                    true => outcome(&plan, slot),
                    false => (None, None),
                };
                // SAFETY: the row is of the function's columns; it is copied.
                unsafe { rows.push([json, url.into_datum(), problem.into_datum()]) }
            }
            Ok(())
        })
    };
    let result = push().map_err(spi_error);
    // SAFETY: nothing is left in it.
    unsafe { pg_sys::ExecDropSingleTupleTableSlot(slot) }
    result
}

/// The URL, or what is wrong; neither if nothing would be queued.
fn outcome(plan: &Plan, slot: *mut pg_sys::TupleTableSlot) -> (Option<String>, Option<String>) {
    // SAFETY: the slot holds a row of the table.
    #[allow(unsafe_code)]
    let row = unsafe { plan.row(slot) };
    let said = plan.said(&row);
    match plan.judge(&said) {
        Outcome::Nobody => (None, None),
        Outcome::Valid => (plan.url(&said), None),
        Outcome::Invalid(problem) => (None, Some(problem.one_line())),
    }
}

/// Puts a row of the SPI's result into a slot of the table's; returns its JSON.
#[allow(unsafe_code)]
fn store(
    row: usize,
    columns: &[Column],
    slot: *mut pg_sys::TupleTableSlot,
) -> Option<pg_sys::Datum> {
    // SAFETY: the SPI's result has this row; its columns are the JSON, the table, and those of the
    // table in their order, without dropped ones. Its values live as long as the result.
    unsafe {
        let result = &*pg_sys::SPI_tuptable;
        let tuple = *result.vals.add(row);
        let value = |number: i32, is_null: &mut bool| {
            pg_sys::SPI_getbinval(tuple, result.tupdesc, number, is_null)
        };
        pg_sys::ExecStoreAllNullTuple(slot);
        for (number, Column { place, .. }) in (3..).zip(columns) {
            let is_null = &mut *(*slot).tts_isnull.add(*place);
            *(*slot).tts_values.add(*place) = value(number, is_null);
        }
        let mut is_null = false;
        (*slot).tts_tableOid = pg_sys::Oid::from(value(2, &mut is_null).value() as u32);
        let json = value(1, &mut is_null);
        (!is_null).then_some(json)
    }
}
