//! The event trigger: triggers are checked when they are made and when their table changes, and
//! the worker hears of changed servers.

use std::ffi::CStr;

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::{pg_sys, spi};

use super::error::{PgResult, report_in};
use super::server::{self, ServerProblem};
use super::trigger::{Definition, place};
use super::{queue, wake};

/// `pg_trigger.tgenabled` of a disabled trigger. One that is broken can be disabled.
const TRIGGER_DISABLED: std::ffi::c_char = b'D' as std::ffi::c_char;

#[pg_extern(sql = "
create function s2s.check_ddl() returns event_trigger
    language c set search_path to pg_catalog, pg_temp
    as 'MODULE_PATHNAME', 'check_ddl_wrapper';
")]
#[allow(unsafe_code)]
fn check_ddl(fcinfo: pg_sys::FunctionCallInfo) -> PgResult<()> {
    // SAFETY: PostgreSQL calls an event trigger function with EventTriggerData as its context;
    // that is looked at only if it is one.
    let (tag, is_rename) = unsafe {
        let context = (*fcinfo).context;
        if context.is_null() || (*context).type_ != pg_sys::NodeTag::T_EventTriggerData {
            return Err(ErrorReport::new(
                PgSqlErrorCode::ERRCODE_E_R_I_E_EVENT_TRIGGER_PROTOCOL_VIOLATED,
                "check_ddl was not called as an event trigger",
                "s2s",
            ));
        }
        let data = &*context.cast::<pg_sys::EventTriggerData>();
        let tag = CStr::from_ptr(pg_sys::GetCommandTagName(data.tag)).to_bytes();
        let is_rename = (*data.parsetree).type_ == pg_sys::NodeTag::T_RenameStmt;
        (tag, is_rename)
    };
    let what = match tag {
        // A schema can be made with tables and triggers in it.
        b"CREATE TRIGGER" | b"CREATE SCHEMA" => What::Everything,
        b"ALTER TABLE" | b"ALTER FOREIGN TABLE" => What::Columns,
        // Servers or user mappings were changed, or an extension is about to go.
        _ => {
            wake::reload_at_commit();
            let leaves_triggers = match tag {
                b"ALTER SERVER" => is_rename,
                b"DROP SERVER" | b"DROP FOREIGN DATA WRAPPER" | b"DROP OWNED" => true,
                _ => false,
            };
            return match leaves_triggers {
                true => warn_of_no_server().map_err(super::error::spi),
                false => Ok(()),
            };
        }
    };
    for (trigger, table) in triggers_of_command()? {
        check_trigger(trigger, table, what)?;
    }
    Ok(())
}

/// What is looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    /// A trigger was made.
    Everything,
    /// Its table was changed, perhaps by somebody who has nothing to do with the server.
    Columns,
}

fn triggers_of_command() -> PgResult<Vec<(pg_sys::Oid, pg_sys::Oid)>> {
    let read = || -> spi::Result<Vec<(pg_sys::Oid, pg_sys::Oid)>> {
        Spi::connect(|client| {
            let mut found = Vec::new();
            for row in client.select(queue::TRIGGERS_OF_COMMAND, None, &[])? {
                if let (Some(trigger), Some(table)) = (row.get(1)?, row.get(2)?) {
                    found.push((trigger, table));
                }
            }
            Ok(found)
        })
    };
    read().map_err(super::error::spi)
}

/// Raises an error if a trigger of ours could not work.
fn check_trigger(trigger: pg_sys::Oid, table: pg_sys::Oid, what: What) -> PgResult<()> {
    Definition::find(
        table,
        |candidate| candidate.tgoid == trigger,
        |found| {
            let Some(definition) = found else {
                return Ok(());
            };
            match what {
                What::Everything => definition
                    .check()
                    .inspect(|()| warn_of_no_password(&definition)),
                What::Columns if definition.trigger.tgenabled == TRIGGER_DISABLED => Ok(()),
                What::Columns => definition.check_columns(),
            }
            .map_err(|problem| report_in(Some(&definition.place()), &problem))
        },
    )
}

/// Says which triggers name a server that does not exist. A warning, from the catalogs alone: it
/// waits for nobody's lock.
fn warn_of_no_server() -> spi::Result<()> {
    Spi::connect(|client| {
        for row in client.select(queue::TRIGGERS_WITHOUT_SERVER, None, &[])? {
            let text = |column| row.get::<String>(column).map(Option::unwrap_or_default);
            let place = place(&text(1)?, &text(2)?);
            let problem = ServerProblem::DoesNotExist {
                server: text(3)?,
                nearest: None,
            };
            report_in(Some(&place), &problem).report(PgLogLevel::WARNING);
        }
        Ok(())
    })
}

/// Says so if the trigger's server has no password. A warning: its callbacks wait in the queue, and
/// the user mapping can still come, as it does when a dump is restored by somebody who may not
/// read passwords.
fn warn_of_no_password(definition: &Definition) {
    let arguments = definition.arguments();
    let server = arguments.first().map(String::as_str).unwrap_or_default();
    if let Some(problem) = server::lacks_password(server) {
        report_in(Some(&definition.place()), &problem).report(PgLogLevel::WARNING);
    }
}
