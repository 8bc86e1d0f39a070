//! The statements that the worker runs: the rows of the queue, of attempts, and servers.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::time::Duration;

use pgrx::datum::{DatumWithOid, JsonB};
use pgrx::pg_sys::PgOid;
use pgrx::prelude::*;
use pgrx::spi::{OwnedPreparedStatement, SpiClient, SpiHeapTupleData};
use pgrx::{pg_sys, spi};

use crate::callback::Action;
use crate::delivery::retry::Fate;
use crate::delivery::{Callback, Outcome, Timestamp};
use crate::network::secret::Secret;
use crate::network::{Network, Server};
use crate::pg::error;
use crate::pg::queue;
use crate::pg::sys::transaction::{SqlError, transaction};
use crate::problem::Problem;

/// Where reading a server's callbacks goes on: after this due time and id.
pub type Position = (Timestamp, i64);

/// Before everything.
pub const START: Position = (Timestamp(i64::MIN), 0);

/// What a reading found.
pub struct Found {
    /// When it was: what is due later was not looked at.
    pub at: Timestamp,
    /// Callbacks that are due.
    pub due: Vec<Callback>,
    /// When the next is due that is not due yet.
    pub next_due: Option<Timestamp>,
}

/// How the record of attempts went.
#[derive(Default)]
pub struct Record {
    /// Callbacks of which nothing is on record: somebody else has locked them.
    pub locked: Vec<i64>,
    /// Somebody changed or cancelled some callbacks meanwhile.
    pub found_changes: bool,
}

/// A statement that is planned once.
struct Prepared {
    sql: &'static str,
    arguments: &'static [pg_sys::BuiltinOid],
    plan: OnceCell<OwnedPreparedStatement>,
}

impl Prepared {
    const fn new(sql: &'static str, arguments: &'static [pg_sys::BuiltinOid]) -> Prepared {
        Prepared {
            sql,
            arguments,
            plan: OnceCell::new(),
        }
    }

    /// Each run takes a snapshot of its own, as those of statements that may write do: it sees what
    /// was committed while the transaction did something else.
    fn plan(&self, client: &SpiClient) -> spi::Result<&OwnedPreparedStatement> {
        if let Some(plan) = self.plan.get() {
            return Ok(plan);
        }
        let arguments: Vec<PgOid> = self.arguments.iter().map(|oid| PgOid::from(*oid)).collect();
        let plan = client.prepare_mut(self.sql, &arguments)?.keep();
        Ok(self.plan.get_or_init(|| plan))
    }
}

/// The statements that run all the time.
pub struct Statements {
    read_due: Prepared,
    next_due: Prepared,
    record: Prepared,
    record_moved: Prepared,
}

/// The types of what `outcome_columns` returns.
const OUTCOMES: [pg_sys::BuiltinOid; 16] = {
    use pg_sys::BuiltinOid::*;
    [
        INT8ARRAYOID,
        TEXTARRAYOID,
        TEXTARRAYOID,
        TEXTARRAYOID,
        TEXTARRAYOID,
        TEXTARRAYOID,
        TIMESTAMPTZARRAYOID,
        INT4ARRAYOID,
        TIMESTAMPTZARRAYOID,
        INT8ARRAYOID,
        INT4ARRAYOID,
        TEXTARRAYOID,
        TEXTARRAYOID,
        TEXTARRAYOID,
        INT8ARRAYOID,
        TIMESTAMPTZARRAYOID,
    ]
};

impl Statements {
    /// None of them is planned yet.
    pub const fn new() -> Statements {
        use pg_sys::BuiltinOid::*;
        Statements {
            read_due: Prepared::new(
                queue::READ_DUE,
                &[TEXTARRAYOID, TIMESTAMPTZARRAYOID, INT8ARRAYOID, INT8OID],
            ),
            next_due: Prepared::new(queue::NEXT_DUE, &[TEXTARRAYOID]),
            record: Prepared::new(queue::RECORD, &OUTCOMES),
            record_moved: Prepared::new(queue::RECORD_MOVED, &OUTCOMES),
        }
    }

    /// Callbacks of servers that are due, after a position and up to `limit` of each. `all` are the
    /// servers whose next callback counts.
    pub fn read_due(&self, after: &[(&str, Position)], limit: usize, all: &[&str]) -> Found {
        let servers: Vec<&str> = after.iter().map(|(server, _)| *server).collect();
        let dues: Vec<_> = after
            .iter()
            .map(|(_, (due, _))| timestamptz(*due))
            .collect();
        let ids: Vec<i64> = after.iter().map(|(_, (_, id))| *id).collect();
        let read = || -> spi::Result<Found> {
            Spi::connect_mut(|client| {
                let mut found = Found {
                    at: transaction_start(),
                    due: Vec::new(),
                    next_due: None,
                };
                if !after.is_empty() {
                    let arguments = [
                        servers.into(),
                        dues.into(),
                        ids.into(),
                        (limit as i64).into(),
                    ];
                    let rows = client.select(self.read_due.plan(client)?, None, &arguments)?;
                    for row in rows {
                        found.due.push(read_callback(&row)?);
                    }
                }
                let next =
                    client.select(self.next_due.plan(client)?, None, &[all.to_vec().into()])?;
                found.next_due = next
                    .first()
                    .get_one::<TimestampWithTimeZone>()?
                    .map(timestamp);
                Ok(found)
            })
        };
        read().unwrap_or_report_spi()
    }

    /// Records attempts, and what becomes of their callbacks, in one transaction; not those whose
    /// callbacks somebody else has locked.
    pub fn record(&self, outcomes: &[Outcome]) -> Result<Record, SqlError> {
        let all: Vec<&Outcome> = outcomes.iter().collect();
        transaction(|| {
            // A crash sends again what is not on record.
            queue::force_sync_commit();
            let record = || -> spi::Result<Record> {
                Spi::connect_mut(|client| {
                    let mut record = Record::default();
                    let mut moved = Vec::new();
                    let plan = self.record.plan(client)?;
                    for row in client.update(plan, None, &outcome_columns(&all))? {
                        let id: i64 = row.get(1)?.unwrap_or_default();
                        match row.get(2)? {
                            Some(true) => record.locked.push(id),
                            _ => moved.push(id),
                        }
                    }
                    if moved.is_empty() {
                        return Ok(record);
                    }
                    record.found_changes = true;
                    let moved: Vec<&Outcome> = outcomes
                        .iter()
                        .filter(|outcome| moved.contains(&outcome.callback.id))
                        .collect();
                    let plan = self.record_moved.plan(client)?;
                    for row in client.update(plan, None, &outcome_columns(&moved))? {
                        record.locked.extend(row.get::<i64>(1)?);
                    }
                    Ok(record)
                })
            };
            record().unwrap_or_report_spi()
        })
    }
}

/// What `now()` is in a statement.
#[allow(unsafe_code)]
fn transaction_start() -> Timestamp {
    // SAFETY: reads a variable.
    Timestamp(unsafe { pg_sys::GetCurrentTransactionStartTimestamp() })
}

/// The arguments of `queue::RECORD` and `queue::RECORD_MOVED`.
fn outcome_columns<'a>(outcomes: &[&'a Outcome]) -> [DatumWithOid<'a>; 16] {
    [
        column(outcomes, |o| o.callback.id),
        column(outcomes, |o| o.callback.server.as_str()),
        column(outcomes, |o| o.callback.action.name()),
        column(outcomes, |o| o.callback.transaction_id.as_str()),
        column(outcomes, |o| o.callback.click_id.as_deref()),
        column(outcomes, |o| o.url.as_deref()),
        column(outcomes, |o| timestamptz(o.callback.created_at)),
        column(outcomes, |o| o.callback.attempts as i32 + 1),
        column(outcomes, |o| timestamptz(o.started_at)),
        column(outcomes, |o| micros(o.duration)),
        column(outcomes, |o| o.status.map(i32::from)),
        column(outcomes, |o| o.verdict.name()),
        column(outcomes, |o| o.verdict.message()),
        column(outcomes, |o| o.response.as_deref()),
        column(outcomes, pause),
        column(outcomes, |o| timestamptz(o.callback.due_at)),
    ]
}

fn column<'a, T>(outcomes: &[&'a Outcome], read: impl Fn(&'a Outcome) -> T) -> DatumWithOid<'a>
where
    Vec<T>: IntoDatum,
{
    outcomes
        .iter()
        .map(|outcome| read(outcome))
        .collect::<Vec<T>>()
        .into()
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// NULL: the callback is gone; negative: parked; else it is due after so many microseconds.
fn pause(outcome: &Outcome) -> Option<i64> {
    match outcome.fate {
        Fate::Gone => None,
        Fate::Parked => Some(-1),
        Fate::Later(pause) => Some(micros(pause)),
    }
}

/// The names of servers that callbacks are queued for.
pub fn queued_servers() -> Vec<String> {
    let read = || -> spi::Result<Vec<String>> {
        Spi::connect(|client| {
            let rows = client.select(queue::QUEUED_SERVERS, None, &[])?;
            rows.map(|row| Ok(row.get(1)?.unwrap_or_default()))
                .collect()
        })
    };
    read().unwrap_or_report_spi()
}

fn timestamptz(time: Timestamp) -> TimestampWithTimeZone {
    TimestampWithTimeZone::try_from(time.0).unwrap_or(match time.0 < 0 {
        true => TimestampWithTimeZone::negative_infinity(),
        false => TimestampWithTimeZone::positive_infinity(),
    })
}

/// One row of the queue, as `queue::READ_DUE` and `queue::CALLBACK` return it.
pub fn read_callback(row: &SpiHeapTupleData) -> spi::Result<Callback> {
    let text = |column| -> spi::Result<String> { Ok(row.get(column)?.unwrap_or_default()) };
    let time = |column| -> spi::Result<Timestamp> {
        Ok(row
            .get::<TimestampWithTimeZone>(column)?
            .map_or(Timestamp::INFINITY, timestamp))
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
    Ok(Callback {
        id: row.get(1)?.unwrap_or_default(),
        server: text(2)?,
        action: Action::from_name(&text(3)?).unwrap_or(Action::Lead),
        transaction_id: text(4)?,
        click_id: row.get(5)?,
        parameters,
        created_at: time(7)?,
        due_at: time(8)?,
        attempts: row
            .get::<i32>(9)?
            .and_then(|count| u32::try_from(count).ok())
            .unwrap_or(0),
    })
}

fn timestamp(time: TimestampWithTimeZone) -> Timestamp {
    Timestamp(time.into_inner())
}

/// A server that there is.
pub struct FoundServer {
    /// Its name.
    pub name: String,
    /// Its OID.
    pub oid: pg_sys::Oid,
    /// Its options, or what is wrong with them.
    pub server: Result<Server, Problem>,
    /// Its password, if it has one.
    pub password: Option<Secret>,
}

/// All servers of our networks.
pub fn read_servers() -> Vec<FoundServer> {
    let read = || -> spi::Result<Vec<FoundServer>> {
        Spi::connect(|client| {
            let mut servers = Vec::new();
            for row in client.select(queue::SERVERS, None, &[])? {
                let oid: pg_sys::Oid = row.get(1)?.unwrap_or(pg_sys::InvalidOid);
                let name: String = row.get(2)?.unwrap_or_default();
                let wrapper: String = row.get(3)?.unwrap_or_default();
                let Some(network) = Network::from_name(&wrapper) else {
                    continue;
                };
                let names: Vec<String> = row.get(4)?.unwrap_or_default();
                let values: Vec<String> = row.get(5)?.unwrap_or_default();
                let options = names
                    .iter()
                    .map(String::as_str)
                    .zip(values.iter().map(String::as_str));
                let server = Server::parse(&name, network, options);
                let password = row.get::<String>(6)?.and_then(Secret::new);
                servers.push(FoundServer {
                    name,
                    oid,
                    server,
                    password,
                });
            }
            Ok(servers)
        })
    };
    read().unwrap_or_report_spi()
}

/// Whether transactions of this database are prepared.
pub fn any_prepared() -> bool {
    let look = || {
        Spi::connect(|client| {
            client
                .select(queue::ANY_PREPARED, None, &[])?
                .first()
                .get_one()
        })
    };
    look().unwrap_or_report_spi().unwrap_or(false)
}

/// Deletes a batch of attempts that are too old; true if there may be more.
pub fn expire_attempts(retention: Duration) -> bool {
    let age = retention.as_secs_f64();
    let expire = || -> spi::Result<bool> {
        // A look that finds nothing takes no transaction id.
        let found = Spi::connect(|client| {
            let rows = client.select(queue::ANY_EXPIRED, None, &[age.into()])?;
            rows.first().get_one::<bool>()
        })?;
        if found != Some(true) {
            return Ok(false);
        }
        let deleted = Spi::connect_mut(|client| {
            let deleted = client.update(queue::EXPIRE, None, &[age.into()])?;
            Ok::<_, spi::Error>(deleted.len())
        })?;
        Ok(deleted > 0)
    };
    expire().unwrap_or_report_spi()
}

/// A failure of the SPI becomes PostgreSQL's error, which undoes the transaction.
trait UnwrapOrReportSpi<T> {
    fn unwrap_or_report_spi(self) -> T;
}

impl<T> UnwrapOrReportSpi<T> for spi::Result<T> {
    fn unwrap_or_report_spi(self) -> T {
        use pgrx::pg_sys::panic::ErrorReportable;
        self.map_err(error::spi).unwrap_or_report()
    }
}
