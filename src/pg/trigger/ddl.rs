//! The event trigger function `s2s.check_ddl`: it checks triggers when they are created and when
//! their columns change, and tells the worker of changed servers.
//!
//! | command | a trigger that cannot work any more |
//! |---|---|
//! | creates it | error |
//! | changes columns so that its arguments no longer fit | error |
//! | changes columns, and its arguments did not fit before; or enables it | warning |
//! | drops a column along with something else | warning |
//! | changes or drops its server, or takes its password | warning |
//! | any other | nothing |
//!
//! Only a command that made, changed or dropped servers of ours or their user mappings, or drops the
//! extension, makes the worker read them: whatever a role without rights issues does not.

use pgrx::pg_sys;
use pgrx::prelude::*;
use pgrx::spi;

use super::definition::Definition;
use crate::pg::error::{self, PgResult, refuse_new, report_in};
use crate::pg::process::wake;
use crate::pg::server;
use crate::pg::sys::catalog;
use command::Command;

mod columns;
mod command;
mod servers;
mod warnings;

/// # Safety
///
/// `fcinfo` is that of the current call.
#[pg_extern(sql = false)]
#[allow(unsafe_code)]
unsafe fn check_ddl(fcinfo: pg_sys::FunctionCallInfo) -> PgResult<()> {
    // SAFETY: as the caller says.
    let command = unsafe { Command::of_call(fcinfo)? };
    if command.event() == b"sql_drop" {
        servers::check_dropped(&command)?;
        return columns::warn_of_dropped(&command);
    }
    match command.tag() {
        // CREATE SCHEMA can create tables and triggers, too.
        b"CREATE TRIGGER" | b"CREATE SCHEMA" => check_new_triggers(),
        // PostgreSQL renames a table's column by any of them.
        b"ALTER TABLE"
        | b"ALTER FOREIGN TABLE"
        | b"ALTER VIEW"
        | b"ALTER MATERIALIZED VIEW"
        | b"ALTER TYPE" => columns::check(&command),
        b"DROP EXTENSION" => {
            // At its end, nothing of ours is left to be called.
            if command.drops_extension() && catalog::owns_extension() {
                wake::reload_at_commit();
            }
            Ok(())
        }
        _ => servers::check_changed(&command),
    }
}

/// Refuses new triggers that could not work.
fn check_new_triggers() -> PgResult<()> {
    for (trigger, table) in triggers(include_str!("../../../sql/runtime/triggers_created.sql"))? {
        with_trigger(trigger, table, |definition| {
            definition
                .check()
                .map_err(|problem| report_in(&definition.description(), problem))?;
            let checked = definition.check_new();
            refuse_new(checked.map_err(|problem| report_in(&definition.description(), problem)))?;
            warn_of_server(definition);
            Ok(())
        })?;
    }
    Ok(())
}

/// The triggers that `query` finds, with their tables.
fn triggers(query: &str) -> PgResult<Vec<(pg_sys::Oid, pg_sys::Oid)>> {
    let read = || -> spi::Result<Vec<(pg_sys::Oid, pg_sys::Oid)>> {
        Spi::connect(|client| {
            let mut found = Vec::new();
            for row in client.select(query, None, &[])? {
                if let (Some(trigger), Some(table)) = (row.get(1)?, row.get(2)?) {
                    found.push((trigger, table));
                }
            }
            Ok(found)
        })
    };
    read().map_err(error::spi)
}

/// Calls `check` with a trigger, if it is one of ours.
fn with_trigger(
    trigger: pg_sys::Oid,
    table: pg_sys::Oid,
    check: impl FnOnce(&Definition) -> PgResult<()>,
) -> PgResult<()> {
    Definition::find(table, |candidate| candidate.oid() == trigger, check).unwrap_or(Ok(()))
}

/// Warns if the trigger's server has no password, or the table's owner may not use it. No error, since user
/// mappings and privileges may come later: a dump has them at its end, or not at all. Until then callbacks
/// are parked.
fn warn_of_server(definition: &Definition) {
    let arguments = definition.trigger.arguments();
    let server = arguments.first().map(String::as_str).unwrap_or_default();
    let problems = [
        server::lacks_password(server),
        server::lacks_usage(server, definition.table.owner()),
    ];
    for problem in problems.into_iter().flatten() {
        report_in(&definition.description(), problem).report(PgLogLevel::WARNING);
    }
}
