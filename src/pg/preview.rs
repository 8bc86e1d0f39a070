//! `s2s.preview`: what a trigger would send for rows that are there already.
//!
//! The rows are read as the user, by SQL, so that rights and row security hold. They go the same
//! way as in the trigger, up to the queue.

use std::ffi::{CStr, CString};

use pgrx::callconv::{BoxRet, FcInfo};
use pgrx::datum::Datum;
use pgrx::pg_sys;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::spi;

use super::error::{PgResult, report, spi as spi_error};
use super::queue;
use super::server;
use super::trigger::{Definition, Outcome, Plan, When, plan_of};

/// One row of the result.
type Preview = (Option<JsonbText>, Option<String>, Option<String>);

#[pg_extern(sql = "
create function s2s.preview(\"table\" regclass, trigger_name name, row_limit integer default 10)
    returns table(row_data jsonb, url text, problem text)
    language c volatile parallel unsafe
    as 'MODULE_PATHNAME', 'preview_wrapper';
")]
#[allow(clippy::type_complexity)]
fn preview(
    table: Option<pg_sys::Oid>,
    trigger_name: Option<&CStr>,
    row_limit: Option<i32>,
) -> Result<
    TableIterator<
        'static,
        (
            name!(row_data, Option<JsonbText>),
            name!(url, Option<String>),
            name!(problem, Option<String>),
        ),
    >,
    ErrorReport,
> {
    let (Some(table), Some(name)) = (table, trigger_name) else {
        return Ok(TableIterator::empty());
    };
    if row_limit.is_some_and(i32::is_negative) {
        return Err(ErrorReport::new(
            PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
            "row_limit is negative",
            "s2s",
        )
        .set_hint("NULL means all rows."));
    }
    let rows = Definition::find(
        table,
        // SAFETY: trigger names are NUL-terminated.
        #[allow(unsafe_code)]
        |trigger| unsafe { CStr::from_ptr(trigger.tgname) } == name,
        |found| match found {
            Some(definition) => rows(&definition, row_limit),
            None => Err(no_such_trigger(name)),
        },
    )?;
    Ok(TableIterator::new(rows))
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

/// What the trigger would send for the table's rows.
fn rows(definition: &Definition, row_limit: Option<i32>) -> PgResult<Vec<Preview>> {
    if let Some(server) = definition.arguments().first()
        && !server::may_use(server)
    {
        server::find(Some(server)).map_err(|problem| report(&problem))?;
    }
    let plan = plan_of(definition);
    let query = queue::preview_rows(
        &definition.schema_name(),
        &definition.table_name(),
        definition.is_partitioned(),
    );
    let slot = definition.new_slot();
    let mut when = When::new(definition);
    let mut read = || -> spi::Result<Vec<Preview>> {
        Spi::connect(|client| {
            let count = client.select(&query, None, &[row_limit.into()])?.len();
            Ok((0..count)
                .map(|row| {
                    let json = store(row, slot);
                    let (url, problem) = match when.holds(slot) {
                        true => outcome(&plan, slot),
                        false => (None, None),
                    };
                    (json, url, problem)
                })
                .collect())
        })
    };
    let result = read().map_err(spi_error);
    // SAFETY: nothing is left in it.
    #[allow(unsafe_code)]
    unsafe {
        pg_sys::ExecDropSingleTupleTableSlot(slot);
    }
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
fn store(row: usize, slot: *mut pg_sys::TupleTableSlot) -> Option<JsonbText> {
    // SAFETY: the SPI's result has this row; its columns are the JSON, the table, and those of the
    // table in their order, without dropped ones. Its values live as long as the result.
    unsafe {
        let result = &*pg_sys::SPI_tuptable;
        let tuple = *result.vals.add(row);
        let value = |column: i32, is_null: &mut bool| {
            pg_sys::SPI_getbinval(tuple, result.tupdesc, column, is_null)
        };
        pg_sys::ExecStoreAllNullTuple(slot);
        let descriptor = (*slot).tts_tupleDescriptor;
        let attributes = (*descriptor).attrs.as_slice((*descriptor).natts as usize);
        let kept = attributes
            .iter()
            .enumerate()
            .filter(|(_, a)| !a.attisdropped);
        for (column, (place, _)) in kept.enumerate() {
            let is_null = &mut *(*slot).tts_isnull.add(place);
            *(*slot).tts_values.add(place) = value(column as i32 + 3, is_null);
        }
        let mut is_null = false;
        (*slot).tts_tableOid = pg_sys::Oid::from(value(2, &mut is_null).value() as u32);
        let json = value(1, &mut is_null);
        String::from_datum(json, is_null).map(JsonbText)
    }
}

/// A jsonb as text: nothing of its numbers is lost.
struct JsonbText(String);

pgrx::impl_sql_translatable!(JsonbText, "jsonb");

impl IntoDatum for JsonbText {
    #[allow(unsafe_code)]
    fn into_datum(self) -> Option<pg_sys::Datum> {
        let text = CString::new(self.0).ok()?;
        let text = pg_sys::Datum::from(text.as_ptr());
        // SAFETY: it takes a NUL-terminated text; this one was made by to_jsonb.
        unsafe { pgrx::direct_function_call_as_datum(pg_sys::jsonb_in, &[Some(text)]) }
    }

    fn type_oid() -> pg_sys::Oid {
        pg_sys::JSONBOID
    }
}

// SAFETY: the Datum made is that of a jsonb.
#[allow(unsafe_code)]
unsafe impl BoxRet for JsonbText {
    unsafe fn box_into<'fcx>(self, fcinfo: &mut FcInfo<'fcx>) -> Datum<'fcx> {
        match self.into_datum() {
            // SAFETY: the caller returns it.
            Some(jsonb) => unsafe { fcinfo.return_raw_datum(jsonb) },
            None => fcinfo.return_null(),
        }
    }
}
