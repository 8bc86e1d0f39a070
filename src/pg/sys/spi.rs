//! The SPI: statements that are planned once in a process.

#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::collections::HashMap;

use pgrx::datum::DatumWithOid;
use pgrx::pg_sys::PgOid;
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
