//! `s2s.preview` of a row that is given, with the row whose place it takes.
//!
//! Input functions of types and WHEN, which the table's owner chooses, run as the owner, as they do for
//! the table's own rows. Here the values are the caller's: so it is for the owner.

use std::ffi::CStr;

use pgrx::datum::JsonB;
use pgrx::pg_sys;
use pgrx::prelude::*;
use serde_json::{Map, Value};

use super::table_slot::TableSlot;
use super::{Preview, given_query, no_such_trigger, usable_plan};
use crate::pg::error::PgResult;
use crate::pg::sys::cursor::Cursor;
use crate::pg::sys::result_set::ResultSet;
use crate::pg::sys::user;
use crate::pg::trigger::definition::Definition;
use crate::problem::{Class, Problem, Quoted, did_you_mean};

/// # Safety
///
/// `fcinfo` is that of the current call.
#[pg_extern(sql = false)]
#[allow(unsafe_code)]
unsafe fn preview_given(
    table: Option<pg_sys::Oid>,
    trigger_name: Option<&CStr>,
    new: Option<JsonB>,
    old: Option<JsonB>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> PgResult<()> {
    // SAFETY: as the caller says; the function returns a table.
    let mut result = unsafe { ResultSet::of_call(fcinfo)? };
    let (Some(table), Some(name), Some(new)) = (table, trigger_name, new) else {
        return Ok(());
    };
    Definition::find(
        table,
        |trigger| trigger.name() == name,
        |definition| push_given(definition, new, old, &mut result),
    )
    .unwrap_or_else(|| Err(no_such_trigger(name)))
}

/// Appends what the trigger would send for a row, which takes the place of another if `old` is given:
/// that has its values, and the new row's in all other columns.
fn push_given(
    definition: &Definition,
    new: JsonB,
    old: Option<JsonB>,
    result: &mut ResultSet,
) -> PgResult<()> {
    let owner = definition.table.owner();
    if !user::has_privileges_of(owner) {
        let message = format!(
            "must be owner of table {}",
            Quoted(&definition.table.name())
        );
        return Err(Problem::new(Class::InsufficientPrivilege, message)
            .detail("What WHEN and the types of columns call runs as the owner.")
            .hint("preview(table, trigger_name) is for the table's own rows and takes SELECT.")
            .into());
    }
    let plan = usable_plan(definition)?;
    let new = members(definition, "new", new)?;
    let mut rows = vec![Value::Object(new.clone())];
    if let Some(old) = old {
        let old = members(definition, "old", old)?;
        rows.push(new.into_iter().chain(old).collect());
    }
    let rows = JsonB(Value::Array(rows)).into_datum();
    user::run_restricted_as(owner, || {
        Spi::connect(|client| {
            let query = given_query(definition);
            let mut cursor = Cursor::open(client, &query, pg_sys::JSONBOID, rows);
            let mut preview = Preview::new(definition, plan);
            cursor.batch(|batch| {
                let mut old = TableSlot::new(&definition.table);
                if batch.len() > 1 {
                    preview.set_old(&mut old, batch, 1);
                }
                preview.push(batch, 0, result);
            });
            cursor.close();
        });
    });
    Ok(())
}

/// The members of an argument, each of which is a column.
fn members(definition: &Definition, argument: &str, row: JsonB) -> PgResult<Map<String, Value>> {
    let JsonB(Value::Object(row)) = row else {
        let message = format!("{argument} is not a JSON object");
        return Err(Problem::new(Class::InvalidParameter, message)
            .hint("Give columns and their values, or to_jsonb of a row.")
            .into());
    };
    let columns = definition.table.columns();
    let is_column = |name: &&String| columns.iter().any(|column| column.name == **name);
    match row.keys().find(|name| !is_column(name)) {
        None => Ok(row),
        Some(name) => {
            let table = definition.table.name();
            let message = format!(
                "column {} of table {} does not exist",
                Quoted(name),
                Quoted(&table)
            );
            let names = columns.iter().map(|column| column.name.as_str());
            Err(Problem::new(Class::UndefinedColumn, message)
                .hint(did_you_mean("columns", name, names))
                .into())
        }
    }
}
