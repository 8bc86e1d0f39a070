//! Functions to watch and nudge the worker.

use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use pgrx::datum::DatumWithOid;
use pgrx::prelude::*;
use pgrx::{pg_sys, spi};

use crate::delivery::Callback;
use crate::pg::error::{self, PgResult};
use crate::pg::process::wake;
use crate::pg::process::wake::Slot;
use crate::pg::queue;
use crate::pg::queue::force_sync_commit;
use crate::pg::server;
use crate::pg::sys::database::{self, Access};
use crate::pg::sys::latch;

/// How often a waiting session looks whether the worker is idle.
const POLL: Duration = Duration::from_millis(2);

#[pg_extern(schema = "s2s", volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)]
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
    let worker = slot.map(|slot| (slot, slot.pid.load(SeqCst)));
    let row = match worker.filter(|(_, pid)| *pid != 0) {
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
#[allow(unsafe_code)]
fn why_absent(slot: Option<&Slot>) -> &'static str {
    let Some(board) = wake::board() else {
        return "Add pgrx-ext to the server's preloaded libraries: set shared_preload_libraries = 'pgrx-ext' in postgresql.conf and restart.";
    };
    // SAFETY: reads what shared memory says, and a variable.
    let (is_standby, database) = unsafe { (pg_sys::RecoveryInProgress(), pg_sys::MyDatabaseId) };
    let is_wanted = slot.is_some_and(|slot| slot.wanted.load(SeqCst));
    let state = Access::of(database);
    if is_standby {
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

/// Only for those who may read the attempts: it may quote what was in a row.
fn last_error() -> spi::Result<Option<String>> {
    Spi::connect(|client| {
        let may_read = client.select(queue::MAY_READ_ATTEMPTS, None, &[])?;
        if may_read.first().get_one()? != Some(true) {
            return Ok(None);
        }
        let rows = client.select(queue::LAST_ERROR, None, &[])?;
        match rows.is_empty() {
            true => Ok(None),
            false => rows.first().get_one(),
        }
    })
}

#[pg_extern(schema = "s2s", name = "wake", volatile, parallel_unsafe)]
fn wake_worker() {
    // From the beginning of the queue: somebody may have changed it by hand.
    wake::reload_at_commit();
}

/// What this database's worker does with each server, as it last said; nothing without a worker.
#[pg_extern(schema = "s2s", volatile, parallel_unsafe)]
fn server_occupation() -> TableIterator<
    'static,
    (
        name!(server, pg_sys::Oid),
        name!(in_flight, i32),
        name!(is_broken, bool),
    ),
> {
    let slot = wake::my_slot().filter(|slot| slot.pid.load(SeqCst) != 0);
    let servers = slot.into_iter().flat_map(|slot| slot.servers.iter());
    let taken = servers.filter(|server| server.server.load(SeqCst) != 0);
    TableIterator::new(taken.map(|server| {
        let in_flight = i32::try_from(server.in_flight.load(SeqCst)).unwrap_or(i32::MAX);
        (
            server.server.load(SeqCst).into(),
            in_flight,
            server.is_broken.load(SeqCst),
        )
    }))
}

#[pg_extern(schema = "s2s", strict, volatile, parallel_unsafe, security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn retry(id: i64) -> PgResult<bool> {
    Ok(change(queue::RETRY, &[id.into()])? > 0)
}

#[pg_extern(schema = "s2s", volatile, parallel_unsafe, security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn retry_parked(server: default!(Option<&str>, "NULL")) -> PgResult<i64> {
    change(queue::RETRY_PARKED, &[server.into()])
}

#[pg_extern(schema = "s2s", strict, volatile, parallel_unsafe, security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn cancel(id: i64) -> PgResult<bool> {
    Ok(change(queue::CANCEL, &[id.into(), session_user().into()])? > 0)
}

/// Changes what is queued; returns how many callbacks it concerned. The worker hears of it at
/// commit.
fn change(sql: &str, arguments: &[DatumWithOid]) -> PgResult<i64> {
    let changed =
        Spi::connect_mut(|client| client.update(sql, None, arguments).map(|rows| rows.len()))
            .map_err(error::spi)?;
    if changed > 0 {
        // What was cancelled is not sent after a crash either.
        force_sync_commit();
        wake::reload_at_commit();
    }
    Ok(i64::try_from(changed).unwrap_or(i64::MAX))
}

/// The role that logged in: the current one is the extension's owner in these functions.
#[allow(unsafe_code)]
fn session_user() -> String {
    // SAFETY: the name of a role that exists, NUL-terminated, in the current context.
    let name = unsafe {
        let name = pg_sys::GetUserNameFromId(pg_sys::GetSessionUserId(), true);
        if name.is_null() {
            c"?"
        } else {
            std::ffi::CStr::from_ptr(name)
        }
    };
    name.to_string_lossy().into_owned()
}

#[pg_extern(schema = "s2s", strict, volatile, parallel_unsafe, security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn callback_url(id: i64) -> PgResult<Option<String>> {
    let read = || -> spi::Result<Option<Callback>> {
        Spi::connect(|client| {
            let mut rows = client.select(queue::CALLBACK, None, &[id.into()])?;
            rows.next()
                .map(|row| queue::read::callback(&row))
                .transpose()
        })
    };
    let Some(callback) = read().map_err(error::spi)? else {
        return Ok(None);
    };
    let server = server::read(&callback.server)?;
    Ok(Some(server.url(callback.action, &callback.parameters())?))
}

/// Starts the worker when the transaction commits: the last step of CREATE EXTENSION.
#[pg_extern(schema = "s2s", volatile, parallel_unsafe)]
fn start_worker() {
    wake::reload_at_commit();
}

#[pg_extern(schema = "s2s", strict, volatile, parallel_unsafe, security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn wait_until_idle(timeout: default!(Interval, "'30s'")) -> PgResult<bool> {
    let deadline = Instant::now().checked_add(Duration::from_micros(micros(&timeout)));
    let Some(slot) = wake::wake_mine(|_| {}) else {
        return Ok(!any_due().map_err(error::spi)?);
    };
    let asked = slot.wakes.load(SeqCst);
    loop {
        if slot.pid.load(SeqCst) != 0 && slot.idle_at.load(SeqCst) >= asked {
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

fn any_due() -> spi::Result<bool> {
    Ok(Spi::get_one(queue::ANY_DUE)?.unwrap_or(false))
}
