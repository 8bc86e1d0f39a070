//! Changes of columns that a trigger's arguments name.
//!
//! What was wrong before is nobody's fault now: a command is refused only if the arguments fitted
//! the columns as they were before it.

use pgrx::pg_sys;
use pgrx::prelude::*;
use pgrx::spi::{quote_identifier, quote_qualified_identifier};

use super::command::{Change, Command};
use super::{triggers, with_trigger};
use crate::pg::error::{PgResult, report_in};
use crate::pg::queue;
use crate::pg::trigger::Definition;
use crate::problem::Problem;

/// `pg_trigger.tgenabled` of a disabled trigger. One that is broken can be disabled.
const TRIGGER_DISABLED: std::ffi::c_char = b'D' as std::ffi::c_char;

/// Refuses a change of columns that breaks a trigger.
pub fn check(command: &Command) -> PgResult<()> {
    let query = match command.change() {
        Change::Columns => queue::TRIGGERS_OF_TABLES_AND_BELOW,
        Change::Enabled => queue::TRIGGERS_OF_TABLES,
        Change::Nothing => return Ok(()),
    };
    for (trigger, table) in triggers(query)? {
        unless_locked(table, || {
            with_misfit(trigger, table, |definition, problem| {
                if definition.fitted_earlier() {
                    return Err(refusal(definition, problem));
                }
                warn(definition, problem);
                Ok(())
            })
        })?;
    }
    Ok(())
}

/// Warns of triggers whose columns were dropped with something that they depended on.
pub fn warn_of_dropped(command: &Command) -> PgResult<()> {
    if !command.drops_dependents() {
        return Ok(());
    }
    for (trigger, table) in triggers(queue::TRIGGERS_OF_DROPPED_COLUMNS)? {
        with_misfit(trigger, table, |definition, problem| {
            warn(definition, problem);
            Ok(())
        })?;
    }
    Ok(())
}

/// Calls `with` with a trigger of ours that is enabled and whose arguments do not fit its columns.
fn with_misfit(
    trigger: pg_sys::Oid,
    table: pg_sys::Oid,
    with: impl FnOnce(&Definition, Problem) -> PgResult<()>,
) -> PgResult<()> {
    with_trigger(trigger, table, |definition| {
        if definition.trigger.tgenabled == TRIGGER_DISABLED {
            return Ok(());
        }
        match definition.check_columns() {
            Ok(()) => Ok(()),
            Err(problem) => with(definition, problem),
        }
    })
}

/// Calls `with` unless somebody else has the table to himself. What the command changed is locked
/// by it; other tables below, as with ALTER TABLE ONLY, are not worth waiting for.
#[allow(unsafe_code)]
fn unless_locked(table: pg_sys::Oid, with: impl FnOnce() -> PgResult<()>) -> PgResult<()> {
    let lock = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
    // SAFETY: locks within a transaction; an error gives them back.
    unsafe {
        if !pg_sys::ConditionalLockRelationOid(table, lock) {
            return Ok(());
        }
        let result = with();
        pg_sys::UnlockRelationOid(table, lock);
        result
    }
}

fn warn(definition: &Definition, problem: Problem) {
    report_in(&definition.place(), problem).report(PgLogLevel::WARNING);
}

/// The error of a command that breaks a trigger.
fn refusal(definition: &Definition, problem: Problem) -> pg_sys::panic::ErrorReport {
    let report = report_in(&definition.place(), problem);
    let table = quote_qualified_identifier(definition.schema_name(), definition.table_name());
    let remedy = format!(
        "To change the table all the same, ALTER TABLE {table} DISABLE TRIGGER {}, make the change, and CREATE OR REPLACE TRIGGER with arguments that fit.",
        quote_identifier(definition.name())
    );
    let hint = match report.hint() {
        Some(hint) => format!("{hint} {remedy}"),
        None => remedy,
    };
    report.set_hint(hint)
}
