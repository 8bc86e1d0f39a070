//! Records attempts, and deletes those that are too old.

#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::time::Duration;

use pgrx::datum::{DatumWithOid, TimestampWithTimeZone};
use pgrx::pg_sys;
use pgrx::prelude::*;
use pgrx::spi::{self, SpiClient};

use super::read::{timestamp, timestamptz};
use crate::delivery::attempt::{COLUMNS, Column};
use crate::delivery::{Attempt, Timestamp};
use crate::pg::sys::spi::run;

/// How the record of attempts went.
#[derive(Default)]
pub struct Record {
    /// Callbacks of which nothing is on record: another session has locked them.
    pub locked: Vec<i64>,
    /// Another session has changed or cancelled some callbacks meanwhile.
    pub found_changes: bool,
}

/// Records attempts, and the next states of their callbacks; not those whose callbacks another
/// session has locked.
pub fn attempts(attempts: &[Attempt]) -> spi::Result<Record> {
    // A crash sends again what is not on record.
    super::force_sync_commit();
    Spi::connect(|client| {
        let mut record = Record::default();
        let as_read = attempts.iter().map(|attempt| Some(attempt.callback.due_at));
        let mut moved = Vec::new();
        for (id, is_locked) in record_at(client, attempts, as_read.collect())? {
            match is_locked {
                true => record.locked.push(id),
                false => moved.push(id),
            }
        }
        if moved.is_empty() {
            return Ok(record);
        }
        record.found_changes = true;
        let mut moved: Vec<Attempt> = attempts
            .iter()
            .filter(|attempt| moved.contains(&attempt.callback.id))
            .cloned()
            .collect();
        let due_at = locate(client, &mut moved)?;
        // One that moves yet again is tried again later, as if it were locked.
        let rest = record_at(client, &moved, due_at)?;
        record.locked.extend(rest.into_iter().map(|(id, _)| id));
        Ok(record)
    })
}

/// Records attempts whose callbacks are at these due times in the queue, or have left it. Returns
/// the callbacks of which nothing was recorded: locked, or not there.
fn record_at(
    client: &SpiClient,
    attempts: &[Attempt],
    due_at: Vec<Option<Timestamp>>,
) -> spi::Result<Vec<(i64, bool)>> {
    let mut arguments: Vec<_> = COLUMNS
        .iter()
        .map(|(_, column)| array(column, attempts))
        .collect();
    let due_at = due_at.into_iter().map(|due_at| due_at.map(timestamptz));
    arguments.push(due_at.collect::<Vec<_>>().into());
    let sql = include_str!("../../../sql/runtime/record.sql");
    run(client, sql, &arguments)?
        .map(|row| {
            let id: Option<i64> = row.get(1)?;
            Ok((id.unwrap_or_default(), row.get(2)?.unwrap_or(false)))
        })
        .collect()
}

/// When the callbacks of attempts are due now; `None`: they have left the queue. A server that was renamed
/// gets its new name.
fn locate(client: &SpiClient, attempts: &mut [Attempt]) -> spi::Result<Vec<Option<Timestamp>>> {
    let column = attempts.iter();
    let arguments = [
        column
            .clone()
            .map(|a| a.callback.id)
            .collect::<Vec<_>>()
            .into(),
        column
            .clone()
            .map(|a| a.callback.server.name.as_str())
            .collect::<Vec<_>>()
            .into(),
        column
            .clone()
            .map(|a| a.callback.server.oid.map(pg_sys::Oid::from))
            .collect::<Vec<_>>()
            .into(),
        column
            .map(|a| timestamptz(a.callback.created_at))
            .collect::<Vec<_>>()
            .into(),
    ];
    let sql = include_str!("../../../sql/runtime/locate.sql");
    let mut located = HashMap::new();
    for row in run(client, sql, &arguments)? {
        let id: Option<i64> = row.get(1)?;
        let server: Option<String> = row.get(2)?;
        let due_at = row.get::<TimestampWithTimeZone>(3)?.map(timestamp);
        if let (Some(id), Some(server), Some(due_at)) = (id, server, due_at) {
            located.insert(id, (server, due_at));
        }
    }
    let due_at = attempts.iter_mut().map(|attempt| {
        let (server, due_at) = located.remove(&attempt.callback.id)?;
        attempt.callback.server.name = server;
        Some(due_at)
    });
    Ok(due_at.collect())
}

fn array<'a>(column: &Column, attempts: &'a [Attempt]) -> DatumWithOid<'a> {
    let attempts = attempts.iter();
    match column {
        Column::Text(get) => attempts.map(|a| get(a)).collect::<Vec<_>>().into(),
        Column::Integer(get) => attempts.map(get).collect::<Vec<_>>().into(),
        Column::Bigint(get) => attempts.map(get).collect::<Vec<_>>().into(),
        Column::Timestamptz(get) => attempts
            .map(|a| get(a).map(timestamptz))
            .collect::<Vec<_>>()
            .into(),
    }
}

/// Deletes a batch of attempts that are older than this; true if there may be more.
pub fn expire(retention: Duration) -> spi::Result<bool> {
    let age = [retention.as_secs_f64().into()];
    Spi::connect(|client| {
        let any = run(
            client,
            include_str!("../../../sql/runtime/any_expired.sql"),
            &age,
        )?;
        if any.first().get_one()? != Some(true) {
            return Ok(false);
        }
        let deleted = run(
            client,
            include_str!("../../../sql/runtime/expire.sql"),
            &age,
        )?;
        Ok(!deleted.is_empty())
    })
}
