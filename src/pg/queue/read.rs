//! Rows of the queue, as the worker reads them.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;

use pgrx::datum::{JsonB, TimestampWithTimeZone};
use pgrx::pg_sys;
use pgrx::prelude::*;
use pgrx::spi::{self, SpiHeapTupleData};

use crate::callback::Action;
use crate::delivery::reading::{Found, Query};
use crate::delivery::{Callback, ServerKey, Timestamp};
use crate::pg::sys::spi::run;
use crate::pg::sys::transaction;

/// Callbacks that are due, and when the next one is.
pub fn due(query: &Query) -> spi::Result<Found> {
    Spi::connect(|client| {
        let mut found = Found::new(transaction::start());
        if !query.after.is_empty() {
            let column = query.after.iter();
            let arguments = [
                column
                    .clone()
                    .map(|(server, _)| server.name.as_str())
                    .collect::<Vec<_>>()
                    .into(),
                column
                    .clone()
                    .map(|(_, (due_at, _))| timestamptz(*due_at))
                    .collect::<Vec<_>>()
                    .into(),
                column
                    .clone()
                    .map(|(_, (_, id))| *id)
                    .collect::<Vec<_>>()
                    .into(),
                (query.window.callbacks as i64).into(),
                column
                    .map(|(server, _)| server.oid.map(pg_sys::Oid::from))
                    .collect::<Vec<_>>()
                    .into(),
            ];
            let sql = match super::has_marks() {
                true => include_str!("../../../sql/runtime/read_due.sql"),
                false => include_str!("../../../sql/runtime/read_due_before_0_3.sql"),
            };
            for row in run(client, sql, &arguments)? {
                let server = ServerKey {
                    name: row.get(2)?.unwrap_or_default(),
                    oid: row.get::<pg_sys::Oid>(10)?.map(pg_sys::Oid::to_u32),
                };
                // Large parameters are stored out of line: those that are not taken are not fetched.
                if !found.fills(&server, query.window) {
                    callback(&row)?
                        .map(|callback| Callback { server, ..callback })
                        .into_iter()
                        .for_each(|callback| found.add(callback));
                }
            }
        }
        let active: Vec<&str> = query
            .active
            .iter()
            .map(|server| server.name.as_str())
            .collect();
        let sql = include_str!("../../../sql/runtime/next_due.sql");
        let next: Option<TimestampWithTimeZone> =
            run(client, sql, &[active.into()])?.first().get_one()?;
        found.next_due = next.map(timestamp);
        Ok(found)
    })
}

/// The names of servers that callbacks are queued for.
pub fn servers() -> spi::Result<Vec<String>> {
    Spi::connect(|client| {
        let sql = include_str!("../../../sql/runtime/queued_servers.sql");
        run(client, sql, &[])?
            .map(|row| Ok(row.get(1)?.unwrap_or_default()))
            .collect()
    })
}

/// Whether database transactions of this database are prepared.
pub fn any_prepared() -> spi::Result<bool> {
    Spi::connect(|client| {
        let sql = include_str!("../../../sql/runtime/any_prepared.sql");
        let any = run(client, sql, &[])?.first().get_one()?;
        Ok(any.unwrap_or(false))
    })
}

/// One row of the queue, with the first columns of `sql/runtime/read_due.sql`; `None` if it reports what this
/// version of the library does not know, and must not take for anything else.
pub fn callback(row: &SpiHeapTupleData) -> spi::Result<Option<Callback>> {
    let text = |column| -> spi::Result<String> { Ok(row.get(column)?.unwrap_or_default()) };
    let time = |column| -> spi::Result<Timestamp> {
        let time: Option<TimestampWithTimeZone> = row.get(column)?;
        Ok(time.map_or(Timestamp::INFINITY, timestamp))
    };
    let parameters = match row.get::<JsonB>(6)? {
        Some(JsonB(serde_json::Value::Object(object))) => object
            .into_iter()
            .map(|(name, value)| match value {
                serde_json::Value::String(text) => (name, text),
                other => (name, other.to_string()),
            })
            .collect(),
        _ => BTreeMap::new(),
    };
    let (Some(id), Some(action)) = (row.get(1)?, Action::from_name(&text(3)?)) else {
        return Ok(None);
    };
    Ok(Some(Callback {
        id,
        server: ServerKey {
            name: text(2)?,
            oid: None,
        },
        action,
        transaction_id: text(4)?,
        click_id: row.get(5)?,
        parameters,
        created_at: time(7)?,
        due_at: time(8)?,
        attempts: row
            .get::<i32>(9)?
            .and_then(|count| u32::try_from(count).ok())
            .unwrap_or(0),
    }))
}

/// A `timestamptz` as plain data.
pub fn timestamp(time: TimestampWithTimeZone) -> Timestamp {
    Timestamp(time.into_inner())
}

/// The same the other way round.
pub fn timestamptz(time: Timestamp) -> TimestampWithTimeZone {
    TimestampWithTimeZone::try_from(time.0).unwrap_or(match time.0 < 0 {
        true => TimestampWithTimeZone::negative_infinity(),
        false => TimestampWithTimeZone::positive_infinity(),
    })
}
