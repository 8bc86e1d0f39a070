//! Watching and waking this database's worker.

use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use pgrx::prelude::*;
use pgrx::{pg_sys, spi};

use crate::pg::error::{self, PgResult};
use crate::pg::process::wake::{self, Slot};
use crate::pg::sys::database::{self, Access};
use crate::pg::sys::{latch, session};

const ANY_DUE: &str = include_str!("../../../sql/runtime/any_due.sql");
const LAST_ERROR: &str = include_str!("../../../sql/runtime/last_error.sql");
const MAY_READ_ATTEMPTS: &str = include_str!("../../../sql/runtime/may_read_attempts.sql");

/// How often a waiting session looks whether the worker is idle.
const POLL: Duration = Duration::from_millis(2);

#[pg_extern(sql = false)]
fn worker_status() -> TableIterator<
    'static,
    (
        name!(running, bool),
        name!(pid, Option<i32>),
        name!(started_at, Option<TimestampWithTimeZone>),
        name!(in_flight, Option<i32>),
        name!(last_delivery_at, Option<TimestampWithTimeZone>),
        name!(last_error, Option<String>),
        name!(hint, Option<String>),
    ),
> {
    let time = |micros: i64| match micros {
        0 => None,
        micros => TimestampWithTimeZone::try_from(micros).ok(),
    };
    let last_error = last_error().unwrap_or_default();
    let slot = wake::my_slot();
    let row = match slot.and_then(|slot| Some((slot, slot.state.process()?))) {
        Some((slot, pid)) => (
            true,
            Some(pid),
            time(slot.started_at.load(SeqCst)),
            i32::try_from(slot.in_flight.load(SeqCst)).ok(),
            time(slot.last_delivery_at.load(SeqCst)),
            last_error,
            None,
        ),
        None => {
            let hint = why_absent(slot).to_owned();
            (false, None, None, None, None, last_error, Some(hint))
        }
    };
    TableIterator::once(row)
}

/// Why the current database has no worker, and what to do.
fn why_absent(slot: Option<&Slot>) -> &'static str {
    let Some(board) = wake::board() else {
        return "Add pgrx-ext to the server's preloaded libraries: set shared_preload_libraries = 'pgrx-ext' in postgresql.conf and restart.";
    };
    let database = session::database();
    let is_wanted = slot.is_some_and(|slot| slot.state.is_wanted());
    let state = Access::of(database);
    if session::is_standby() {
        "The server is a standby: the worker starts when it is promoted."
    } else if state == Access::Locked {
        "The worker stands aside for a command that copies, renames, moves or drops the database, and is back afterwards."
    } else if is_wanted && state == Access::Closed {
        "The database takes no connections: the worker starts seconds after alter database … allow_connections true."
    } else if slot.is_none() && board.is_full() {
        "There is no room for a worker: 256 databases of the server have one, or want one."
    } else if !is_wanted && database::row_of(database).is_some_and(|row| row.datistemplate) {
        "The worker starts with the next callback that is queued here, or with s2s.wake(); not with the server, since the database is a template."
    } else if !is_wanted {
        "The worker starts with the next callback that is queued here, with s2s.wake(), or with the server."
    } else {
        "The worker is starting, or cannot: see the server's log. Raise max_worker_processes if it says that there is no free slot."
    }
}

/// NULL for users who may not read the attempts: the message may quote values of a row.
fn last_error() -> spi::Result<Option<String>> {
    Spi::connect(|client| {
        let may_read = client.select(MAY_READ_ATTEMPTS, None, &[])?;
        if may_read.first().get_one()? != Some(true) {
            return Ok(None);
        }
        let rows = client.select(LAST_ERROR, None, &[])?;
        match rows.is_empty() {
            true => Ok(None),
            false => rows.first().get_one(),
        }
    })
}

#[pg_extern(sql = false)]
fn wake_worker() {
    // Not only what is due since the last look: the queue may have been changed by hand.
    wake::reload_at_commit();
}

/// Each server that is broken or busy, as the worker last published it; a row without a server if there
/// is no room for all that are broken. No rows without a worker.
#[pg_extern(sql = false)]
fn server_occupation() -> TableIterator<
    'static,
    (
        name!(server, Option<pg_sys::Oid>),
        name!(in_flight, i32),
        name!(is_broken, bool),
    ),
> {
    let slot = wake::my_slot().filter(|slot| slot.state.process().is_some());
    let servers = slot.into_iter().flat_map(|slot| slot.servers.iter());
    let taken = servers.filter(|server| server.server.load(SeqCst) != 0);
    let is_cut = slot.is_some_and(|slot| slot.servers.is_cut());
    let shown = taken.map(|server| {
        let in_flight = i32::try_from(server.in_flight.load(SeqCst)).unwrap_or(i32::MAX);
        (
            Some(server.server.load(SeqCst).into()),
            in_flight,
            server.is_broken.load(SeqCst),
        )
    });
    TableIterator::new(shown.chain(is_cut.then_some((None, 0, true))))
}

/// Starts the worker when the database transaction commits: the last step of CREATE EXTENSION.
#[pg_extern(sql = false)]
fn start_worker() {
    wake::reload_at_commit();
}

#[pg_extern(sql = false)]
fn wait_until_idle(timeout: Interval) -> PgResult<bool> {
    let deadline = Instant::now().checked_add(Duration::from_micros(micros(&timeout)));
    let Some(slot) = wake::wake_mine(|_| {}) else {
        return Ok(!Spi::get_one(ANY_DUE).map_err(error::spi)?.unwrap_or(false));
    };
    let asked = slot.calls().wakes;
    loop {
        if slot.state.process().is_some() && slot.idle_at.load(SeqCst) >= asked {
            return Ok(true);
        }
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Ok(false);
        }
        latch::sleep(POLL);
    }
}

/// An interval's length; a month counts 30 days, as PostgreSQL compares intervals.
fn micros(interval: &Interval) -> u64 {
    let days = i128::from(interval.months()) * 30 + i128::from(interval.days());
    let micros = days * 86_400_000_000 + i128::from(interval.micros());
    u64::try_from(micros.max(0)).unwrap_or(u64::MAX)
}
