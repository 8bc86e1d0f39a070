//! The SPI: statements that are planned once in a process, and statements that see all that is
//! committed.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::CString;

use pgrx::datum::DatumWithOid;
use pgrx::pg_sys::{self, PgOid};
use pgrx::prelude::*;
use pgrx::spi::{self, OwnedPreparedStatement, SpiClient, SpiTupleTable};

thread_local! {
    /// Never freed: that would happen while the process exits, after PostgreSQL has ended.
    static PLANS: RefCell<HashMap<&'static str, &'static OwnedPreparedStatement>> =
        RefCell::new(HashMap::new());
}

/// Runs a statement, which is planned when it runs for the first time.
///
/// Each run takes a snapshot of its own, as those of statements that may write do: it sees what was
/// committed while the database transaction did something else. A transaction id is assigned only
/// if it writes.
pub fn run<'conn>(
    client: &SpiClient<'conn>,
    sql: &'static str,
    arguments: &[DatumWithOid],
) -> spi::Result<SpiTupleTable<'conn>> {
    let known = PLANS.with_borrow(|plans| plans.get(sql).copied());
    let plan = match known {
        Some(plan) => plan,
        None => {
            let types: Vec<PgOid> = arguments
                .iter()
                .map(|argument| PgOid::from(argument.oid()))
                .collect();
            let plan: &'static _ = Box::leak(Box::new(client.prepare_mut(sql, &types)?.keep()));
            PLANS.with_borrow_mut(|plans| plans.insert(sql, plan));
            plan
        }
    };
    client.select(plan, None, arguments)
}

/// Runs a statement with the latest snapshot, as PostgreSQL's foreign keys do: it changes also what was
/// committed after the snapshot of a REPEATABLE READ transaction. Returns its first column.
#[allow(unsafe_code)]
pub fn run_with_latest_snapshot(sql: &str, arguments: &[&str]) -> spi::Result<Vec<pg_sys::Oid>> {
    let sql = CString::new(sql).unwrap_or_default();
    Spi::connect_mut(|_| {
        let mut types = vec![pg_sys::TEXTOID; arguments.len()];
        let mut values: Vec<pg_sys::Datum> = arguments
            .iter()
            .filter_map(|argument| argument.into_datum())
            .collect();
        // SAFETY: the SPI is connected. Statement, types and values have as many parameters, none of
        // them NULL, and outlive the call; the plan is freed with the connection. A statement without
        // RETURNING has no table of tuples; one with it has `numvals` tuples, with an OID each.
        unsafe {
            let plan = pg_sys::SPI_prepare(sql.as_ptr(), types.len() as i32, types.as_mut_ptr());
            let code = match plan.is_null() {
                true => pg_sys::SPI_result,
                false => pg_sys::SPI_execute_snapshot(
                    plan,
                    values.as_mut_ptr(),
                    std::ptr::null(),
                    pg_sys::GetLatestSnapshot(),
                    std::ptr::null_mut(),
                    false,
                    true,
                    0,
                ),
            };
            Spi::check_status(code)?;
            let Some(table) = pg_sys::SPI_tuptable.as_ref() else {
                return Ok(Vec::new());
            };
            let oid = |number: usize| {
                let tuple = *table.vals.add(number);
                let mut is_null = false;
                let value = pg_sys::SPI_getbinval(tuple, table.tupdesc, 1, &mut is_null);
                pg_sys::Oid::from_datum(value, is_null)
            };
            Ok((0..table.numvals as usize).filter_map(oid).collect())
        }
    })
}
