//! `s2s.preview`: what a trigger would send for rows that are there already.
//!
//! The rows are read as the user, by SQL, so that rights and row security hold. They go the same
//! way as in the trigger, up to the queue, but as the table's owner, whose code may run on it: a
//! superuser who looks at a row does not lend it his rights.

use std::cell::UnsafeCell;
use std::ffi::CStr;

use pgrx::pg_sys;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use crate::pg::error::{PgResult, report_in};
use crate::pg::queue;
use crate::pg::server::{self, ServerProblem};
use crate::pg::sys::cursor::{Batch, Cursor};
use crate::pg::sys::memory::{OwnedContext, once};
use crate::pg::sys::result_set::Rows;
use crate::pg::sys::user;
use crate::pg::trigger::{Column, Definition, Outcome, Plan, When, plan_of};

#[pg_extern(sql = false)]
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
    definition
        .check_timing()
        .map_err(|problem| report_in(&definition.place(), &problem))?;
    let plan = plan_of(definition);
    let query = queue::preview_rows(
        &definition.schema_name(),
        &definition.table_name(),
        definition.reports_children(),
    );
    let slot = definition.new_slot();
    let columns = definition.columns();
    // Whose code the trigger and the table's types run.
    let owner = definition.owner();
    let memory = OwnedContext::of_subtransaction(c"s2s preview");
    Spi::connect(|client| {
        let mut cursor = Cursor::open(client, &query, row_limit);
        let json = RowJson::new(slot);
        let when = user::run_as(owner, || When::new(definition));
        let mut push = |batch: &Batch, row: usize| {
            store(batch, row, &columns, slot);
            // SAFETY: the slot holds a row of the table. What is said of it is in memory that lives
            // until it is pushed, which copies it; it is of the function's columns.
            unsafe {
                once(memory.value(), || {
                    let (url, problem) = match &when {
                        Err(column) => (None, Some(column.to_string())),
                        Ok(when) if !when.holds(slot) => (None, None),
                        Ok(_) => outcome(&plan, slot),
                    };
                    rows.push([Some(json.of(slot)), url.into_datum(), problem.into_datum()]);
                });
            }
        };
        let mut push_all = |batch: &Batch| {
            user::run_as(owner, || {
                for row in 0..batch.len() {
                    pg_sys::check_for_interrupts!();
                    push(batch, row);
                }
            });
        };
        while cursor.batch(&mut push_all).is_some() {}
        cursor.close();
    });
    // SAFETY: nothing is left in it.
    unsafe { pg_sys::ExecDropSingleTupleTableSlot(slot) }
    Ok(())
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

/// Puts a row that was read into a slot of the table's.
#[allow(unsafe_code)]
fn store(batch: &Batch, row: usize, columns: &[Column], slot: *mut pg_sys::TupleTableSlot) {
    // SAFETY: what was read is the OID of the row's table and the table's columns in their order,
    // without dropped ones. The values live as long as the batch.
    unsafe {
        pg_sys::ExecStoreAllNullTuple(slot);
        for (number, Column { place, .. }) in (2..).zip(columns) {
            if let Some(value) = batch.value(row, number) {
                *(*slot).tts_values.add(*place) = value;
                *(*slot).tts_isnull.add(*place) = false;
            }
        }
        let table = batch.value(row, 1).map_or(0, |oid| oid.value() as u32);
        (*slot).tts_tableOid = pg_sys::Oid::from(table);
    }
}

/// `to_jsonb` of a table's rows.
struct RowJson(UnsafeCell<pg_sys::FmgrInfo>);

impl RowJson {
    /// That of the rows that `slot` will hold. What it keeps is in the current memory context.
    #[allow(unsafe_code)]
    fn new(slot: *mut pg_sys::TupleTableSlot) -> RowJson {
        let mut function = pg_sys::FmgrInfo::default();
        let to_jsonb = pg_sys::Oid::from(pg_sys::F_TO_JSONB);
        // SAFETY: `to_jsonb` takes any type and looks for it in the call that it is part of.
        unsafe {
            let row_type = (*(*slot).tts_tupleDescriptor).tdtypeid;
            let row = pg_sys::makeNullConst(row_type, -1, pg_sys::InvalidOid);
            let call = pg_sys::makeFuncExpr(
                to_jsonb,
                pg_sys::JSONBOID,
                pg_sys::lappend(std::ptr::null_mut(), row.cast()),
                pg_sys::InvalidOid,
                pg_sys::InvalidOid,
                pg_sys::CoercionForm::COERCE_EXPLICIT_CALL,
            );
            pg_sys::fmgr_info(to_jsonb, &mut function);
            function.fn_expr = call.cast();
        }
        RowJson(UnsafeCell::new(function))
    }

    /// The row that `slot` holds, in the current memory context.
    ///
    /// # Safety
    ///
    /// It is the slot that this was made for, with a row.
    #[allow(unsafe_code)]
    unsafe fn of(&self, slot: *mut pg_sys::TupleTableSlot) -> pg_sys::Datum {
        // SAFETY: as the caller says. The slot's columns have the row type's form.
        unsafe {
            let row = pg_sys::ExecFetchSlotHeapTupleDatum(slot);
            pg_sys::FunctionCall1Coll(self.0.get(), pg_sys::InvalidOid, row)
        }
    }
}
