//! Changes of columns that a trigger's arguments name.
//!
//! A command is refused only if it breaks the trigger: if the arguments fitted the columns before it.

use pgrx::pg_sys;
use pgrx::spi::{quote_identifier, quote_qualified_identifier};

use super::command::{Command, TableChange};
use super::warnings::Warnings;
use super::{triggers, with_trigger};
use crate::pg::error::{PgResult, report_in};
use crate::pg::trigger::definition::Definition;
use crate::problem::Problem;

const ON_CHANGED_TABLES: &str =
    include_str!("../../../../sql/runtime/triggers_on_changed_tables.sql");
const ON_AND_BELOW_CHANGED_TABLES: &str =
    include_str!("../../../../sql/runtime/triggers_on_and_below_changed_tables.sql");
const ON_TABLES_WITH_DROPPED_COLUMNS: &str =
    include_str!("../../../../sql/runtime/triggers_on_tables_with_dropped_columns.sql");

/// Refuses a change of columns that breaks a trigger.
pub fn check(command: &Command) -> PgResult<()> {
    let query = match command.table_change() {
        TableChange::Columns => ON_AND_BELOW_CHANGED_TABLES,
        TableChange::EnabledTriggers => ON_CHANGED_TABLES,
        TableChange::Other => return Ok(()),
    };
    let mut warnings = Warnings::default();
    for (trigger, table) in triggers(query)? {
        unless_locked(table, || {
            with_misfit(trigger, table, |definition, problem| {
                if definition.fitted_before_command() {
                    return Err(refusal(definition, problem));
                }
                warnings.warn(&definition.description(), problem);
                Ok(())
            })
        })?;
    }
    warnings.finish();
    Ok(())
}

/// Warns of triggers whose columns were dropped along with an object that they depended on.
pub fn warn_of_dropped(command: &Command) -> PgResult<()> {
    if !command.is_drop_cascade() {
        return Ok(());
    }
    let mut warnings = Warnings::default();
    for (trigger, table) in triggers(ON_TABLES_WITH_DROPPED_COLUMNS)? {
        with_misfit(trigger, table, |definition, problem| {
            warnings.warn(&definition.description(), problem);
            Ok(())
        })?;
    }
    warnings.finish();
    Ok(())
}

/// Calls `body` with a trigger whose arguments do not fit its columns, unless it is disabled: a
/// broken trigger may be.
fn with_misfit(
    trigger: pg_sys::Oid,
    table: pg_sys::Oid,
    body: impl FnOnce(&Definition, Problem) -> PgResult<()>,
) -> PgResult<()> {
    with_trigger(trigger, table, |definition| {
        match definition.check_columns() {
            Err(problem) if !definition.trigger.is_disabled() => body(definition, problem),
            _ => Ok(()),
        }
    })
}

/// Calls `check` unless another session holds an ACCESS EXCLUSIVE lock on the table. The command has
/// locked the tables that it changes; for other tables below, as with ALTER TABLE ONLY, it must not
/// wait.
#[allow(unsafe_code)]
fn unless_locked(table: pg_sys::Oid, check: impl FnOnce() -> PgResult<()>) -> PgResult<()> {
    let lock = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
    // SAFETY: within a database transaction, whose end releases the lock after an error.
    unsafe {
        if !pg_sys::ConditionalLockRelationOid(table, lock) {
            return Ok(());
        }
        let result = check();
        pg_sys::UnlockRelationOid(table, lock);
        result
    }
}

/// The error of a command that breaks a trigger.
fn refusal(definition: &Definition, problem: Problem) -> pg_sys::panic::ErrorReport {
    let report = report_in(&definition.description(), problem);
    let table = definition.table;
    let table = quote_qualified_identifier(table.schema_name(), table.name());
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
