//! The event trigger: triggers are checked when they are made and when their columns change, and
//! the worker hears of changed servers.
//!
//! | command | what it does to a trigger that cannot work |
//! |---|---|
//! | makes it | is refused |
//! | changes columns so that the arguments do not fit any more | is refused |
//! | changes columns and the arguments did not fit before, or enables it | warns |
//! | drops a column along with something else | warns |
//! | changes, renames or drops its server | warns |
//! | any other | nothing |

use pgrx::pg_sys;
use pgrx::prelude::*;
use pgrx::spi;

use crate::pg::error::{self, PgResult, report_in};
use crate::pg::process::wake;
use crate::pg::queue;
use crate::pg::server;
use crate::pg::trigger::Definition;
use command::Command;

mod columns;
mod command;
mod servers;

#[pg_extern(sql = false)]
fn check_ddl(fcinfo: pg_sys::FunctionCallInfo) -> PgResult<()> {
    let command = Command::of_call(&fcinfo)?;
    if command.event() == b"sql_drop" {
        return columns::warn_of_dropped(&command);
    }
    match command.tag() {
        // A schema can be made with tables and triggers in it.
        b"CREATE TRIGGER" | b"CREATE SCHEMA" => check_new_triggers(),
        // PostgreSQL renames a table's column by any of them.
        b"ALTER TABLE"
        | b"ALTER FOREIGN TABLE"
        | b"ALTER VIEW"
        | b"ALTER MATERIALIZED VIEW"
        | b"ALTER TYPE" => columns::check(&command),
        // Servers or user mappings were changed, or an extension is about to go.
        _ => {
            wake::reload_at_commit();
            servers::warn(&command)
        }
    }
}

/// Refuses new triggers of ours that could not work.
fn check_new_triggers() -> PgResult<()> {
    for (trigger, table) in triggers(queue::TRIGGERS_MADE)? {
        with_trigger(trigger, table, |definition| {
            definition
                .check()
                .map_err(|problem| report_in(&definition.place(), &problem))?;
            warn_of_no_password(definition);
            Ok(())
        })?;
    }
    Ok(())
}

/// The triggers that `query` finds, with the tables they are on.
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

/// Calls `with` with a trigger of ours.
fn with_trigger(
    trigger: pg_sys::Oid,
    table: pg_sys::Oid,
    with: impl FnOnce(&Definition) -> PgResult<()>,
) -> PgResult<()> {
    Definition::find(
        table,
        |candidate| candidate.tgoid == trigger,
        |found| match found {
            Some(definition) => with(&definition),
            None => Ok(()),
        },
    )
}

/// Says so if the trigger's server has no password. A warning: the user mapping can still come, as
/// it does when a dump is restored by somebody who may not read passwords. Until then its callbacks
/// are parked.
fn warn_of_no_password(definition: &Definition) {
    let arguments = definition.arguments();
    let server = arguments.first().map(String::as_str).unwrap_or_default();
    if let Some(problem) = server::lacks_password(server) {
        report_in(&definition.place(), &problem).report(PgLogLevel::WARNING);
    }
}
