//! The event trigger: triggers are checked when they are made and when their table changes, and
//! the worker hears of changed servers.

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::{pg_sys, spi};

use super::error::{PgResult, report_in};
use super::trigger::Definition;
use super::{queue, wake};
use crate::callback::Action;

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
    let tag = unsafe {
        let context = (*fcinfo).context;
        if context.is_null() || (*context).type_ != pg_sys::NodeTag::T_EventTriggerData {
            return Err(ErrorReport::new(
                PgSqlErrorCode::ERRCODE_E_R_I_E_EVENT_TRIGGER_PROTOCOL_VIOLATED,
                "check_ddl was not called as an event trigger",
                "s2s",
            ));
        }
        let data = &*context.cast::<pg_sys::EventTriggerData>();
        std::ffi::CStr::from_ptr(pg_sys::GetCommandTagName(data.tag)).to_bytes()
    };
    let what = match tag {
        // A schema can be made with tables and triggers in it.
        b"CREATE TRIGGER" | b"CREATE SCHEMA" => What::Everything,
        b"ALTER TABLE" => What::Columns,
        _ => {
            wake::reload_at_commit();
            return Ok(());
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
#[allow(unsafe_code)]
fn check_trigger(trigger: pg_sys::Oid, table: pg_sys::Oid, what: What) -> PgResult<()> {
    // SAFETY: the relation is open while its triggers are looked at; PostgreSQL keeps so many
    // triggers in its cache.
    unsafe {
        let relation = pg_sys::relation_open(table, pg_sys::AccessShareLock as i32);
        let triggers = (*relation).trigdesc;
        let mut result = Ok(());
        if !triggers.is_null() {
            let count = (*triggers).numtriggers as usize;
            let found = std::slice::from_raw_parts((*triggers).triggers, count)
                .iter()
                .find(|candidate| candidate.tgoid == trigger);
            if let Some(trigger) = found {
                let definition = Definition {
                    trigger,
                    table: relation,
                    action: action_of(trigger.tgfoid),
                };
                result = match what {
                    What::Everything => definition.check(),
                    What::Columns if trigger.tgenabled == TRIGGER_DISABLED => Ok(()),
                    What::Columns => definition.check_columns(),
                }
                .map_err(|problem| report_in(Some(&definition.place()), &problem));
            }
        }
        pg_sys::relation_close(relation, pg_sys::AccessShareLock as i32);
        result
    }
}

/// What a trigger function of ours reports.
#[allow(unsafe_code)]
fn action_of(function: pg_sys::Oid) -> Action {
    // SAFETY: a catalog look-up within a transaction; the name is NUL-terminated.
    let name = unsafe {
        let name = pg_sys::get_func_name(function);
        if name.is_null() {
            c""
        } else {
            std::ffi::CStr::from_ptr(name)
        }
    };
    Action::ALL
        .into_iter()
        .find(|action| action.function().as_bytes() == name.to_bytes())
        .unwrap_or(Action::Lead)
}
