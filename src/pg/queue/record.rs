//! Records attempts, and deletes those that are too old.

#![forbid(unsafe_code)]

use std::time::Duration;

use pgrx::datum::{DatumWithOid, TimestampWithTimeZone};
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
        let as_read = attempts
            .iter()
            .map(|attempt| (attempt, Some(attempt.callback.due_at)));
        let mut moved = Vec::new();
        for (id, is_locked) in record_at(client, as_read.collect())? {
            match is_locked {
                true => record.locked.push(id),
                false => moved.push(id),
            }
        }
        if moved.is_empty() {
            return Ok(record);
        }
        record.found_changes = true;
        let moved = attempts
            .iter()
            .filter(|attempt| moved.contains(&attempt.callback.id));
        // One that moves yet again is tried again later, as if it were locked.
        let rest = record_at(client, locate(client, moved.collect())?)?;
        record.locked.extend(rest.into_iter().map(|(id, _)| id));
        Ok(record)
    })
}

/// Records attempts whose callbacks are at these due times in the queue, or have left it. Returns
/// the callbacks of which nothing was recorded: locked, or not there.
fn record_at(
    client: &SpiClient,
    attempts: Vec<(&Attempt, Option<Timestamp>)>,
) -> spi::Result<Vec<(i64, bool)>> {
    let due_at: Vec<_> = attempts
        .iter()
        .map(|(_, due_at)| due_at.map(timestamptz))
        .collect();
    let attempts: Vec<_> = attempts.into_iter().map(|(attempt, _)| attempt).collect();
    let mut arguments: Vec<_> = COLUMNS
        .iter()
        .map(|(_, column)| array(column, &attempts))
        .collect();
    arguments.push(due_at.into());
    let sql = include_str!("../../../sql/runtime/record.sql");
    run(client, sql, &arguments)?
        .map(|row| {
            let id: Option<i64> = row.get(1)?;
            Ok((id.unwrap_or_default(), row.get(2)?.unwrap_or(false)))
        })
        .collect()
}

/// Where the callbacks of attempts are in the queue now; `None`: they have left it.
fn locate<'a>(
    client: &SpiClient,
    attempts: Vec<&'a Attempt>,
) -> spi::Result<Vec<(&'a Attempt, Option<Timestamp>)>> {
    let column = attempts.iter();
    let arguments = [
        column
            .clone()
            .map(|a| a.callback.id)
            .collect::<Vec<_>>()
            .into(),
        column
            .clone()
            .map(|a| a.callback.server.as_str())
            .collect::<Vec<_>>()
            .into(),
        column
            .map(|a| timestamptz(a.callback.created_at))
            .collect::<Vec<_>>()
            .into(),
    ];
    let sql = include_str!("../../../sql/runtime/locate.sql");
    let mut located = Vec::new();
    for row in run(client, sql, &arguments)? {
        let (id, due_at) = (row.get(1)?, row.get::<TimestampWithTimeZone>(2)?);
        let attempt = attempts.iter().find(|a| Some(a.callback.id) == id);
        located.extend(attempt.map(|attempt| (*attempt, due_at.map(timestamp))));
    }
    Ok(located)
}

fn array<'a>(column: &Column, attempts: &[&'a Attempt]) -> DatumWithOid<'a> {
    let attempts = attempts.iter();
    match column {
        Column::Text(get) => attempts.map(|a| get(a)).collect::<Vec<_>>().into(),
        Column::Integer(get) => attempts.map(|a| get(a)).collect::<Vec<_>>().into(),
        Column::Bigint(get) => attempts.map(|a| get(a)).collect::<Vec<_>>().into(),
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
