//! Acting on a queued callback: with USAGE of its server, or as its owner. The tables are read and
//! changed with the rights of their owner. What is left of a dropped server is for the owner of the queue,
//! who can give it to the server that has the name now.

use pgrx::datum::DatumWithOid;
use pgrx::pg_sys;
use pgrx::prelude::*;
use pgrx::spi;

use crate::delivery::Callback;
use crate::pg::error::{self, PgResult};
use crate::pg::process::wake;
use crate::pg::queue::{self, force_sync_commit};
use crate::pg::server;
use crate::pg::sys::foreign_server;
use crate::pg::sys::session::session_user;
use crate::pg::sys::transaction::check_may_write;

const CALLBACK: &str = include_str!("../../../sql/runtime/callback.sql");
const RETRY: &str = include_str!("../../../sql/runtime/retry.sql");
const RETRY_PARKED: &str = include_str!("../../../sql/runtime/retry_parked.sql");
const ADOPT: &str = include_str!("../../../sql/runtime/adopt.sql");
const CANCEL: &str = include_str!("../../../sql/runtime/cancel.sql");

#[pg_extern(sql = false)]
fn callback_url(id: i64) -> PgResult<Option<String>> {
    let Some(Found { callback, .. }) = find(id)? else {
        return Ok(None);
    };
    let server = server::read(&callback.server.name)?;
    Ok(Some(server.url(callback.action, &callback.parameters())?))
}

#[pg_extern(sql = false)]
fn retry(id: i64) -> PgResult<bool> {
    check_may_write("retry()");
    let Some(found) = find(id)? else {
        return Ok(false);
    };
    let server = found.callback.server.name.as_str();
    if found.is_of_dropped_server {
        adopt(server, Some(id))?;
    }
    Ok(change(RETRY, &[id.into(), server.into()])? > 0)
}

#[pg_extern(sql = false)]
fn retry_parked(server: Option<&str>) -> PgResult<i64> {
    check_may_write("retry_parked()");
    let servers = match server {
        Some(server) => {
            server::check_may_act(server)?;
            if queue::is_owner() && queue::has_marks() && foreign_server::hold(server).is_some() {
                adopt(server, None)?;
            }
            vec![server.to_owned()]
        }
        None => {
            let queued = queue::as_owner(queue::read::servers).map_err(error::spi)?;
            let may_act = |server: &String| server::check_may_act(server).is_ok();
            queued.into_iter().filter(may_act).collect()
        }
    };
    change(RETRY_PARKED, &[servers.into()])
}

#[pg_extern(sql = false)]
fn cancel(id: i64) -> PgResult<bool> {
    check_may_write("cancel()");
    let Some(found) = find(id)? else {
        return Ok(false);
    };
    let arguments = [
        id.into(),
        session_user().into(),
        found.callback.server.name.as_str().into(),
        found.is_of_dropped_server.into(),
    ];
    Ok(change(CANCEL, &arguments)? > 0)
}

/// A callback that the current user may act on.
struct Found {
    callback: Callback,
    is_of_dropped_server: bool,
}

/// The callback, if it is queued and the current user may act on it. Numbers can be guessed: of one
/// that is another's they tell nothing.
///
/// The snapshot may be older than the catalogs, in which the rights are: if the name has become another
/// server's meanwhile, the callback is not that one's. Its server is held from here on; who changes the
/// callback repeats the name.
fn find(id: i64) -> PgResult<Option<Found>> {
    let read = || -> spi::Result<_> {
        Spi::connect(|client| {
            let Some(row) = client.select(CALLBACK, None, &[id.into()])?.next() else {
                return Ok(None);
            };
            let oid: Option<pg_sys::Oid> = row.get(10)?;
            let is_of_dropped_server = row.get(11)?.unwrap_or(false);
            let callback = queue::read::callback(&row)?;
            Ok(callback.map(|callback| (callback, oid, is_of_dropped_server)))
        })
    };
    let Some((callback, oid, is_of_dropped_server)) = queue::as_owner(read).map_err(error::spi)?
    else {
        return Ok(None);
    };
    let name = callback.server.name.as_str();
    let may_act = match is_of_dropped_server {
        true => queue::is_owner(),
        false => server::check_may_act(name).is_ok() && foreign_server::hold(name) == oid,
    };
    Ok(may_act.then_some(Found {
        callback,
        is_of_dropped_server,
    }))
}

/// Gives what a dropped server has left, one callback or all, to the server that has its name now. The
/// current user owns the queue.
fn adopt(server: &str, id: Option<i64>) -> PgResult<()> {
    if foreign_server::hold(server).is_none() {
        return Err(server::does_not_exist(server).into());
    }
    change(ADOPT, &[server.into(), id.into()]).map(drop)
}

/// Changes the queue and wakes the worker at commit; returns the number of callbacks changed.
fn change(sql: &str, arguments: &[DatumWithOid]) -> PgResult<i64> {
    let update =
        || Spi::connect_mut(|client| client.update(sql, None, arguments).map(|rows| rows.len()));
    let changed = queue::as_owner(update).map_err(error::spi)?;
    if changed > 0 {
        // A cancelled callback is not sent after a crash either.
        force_sync_commit();
        wake::reload_at_commit();
    }
    Ok(i64::try_from(changed).unwrap_or(i64::MAX))
}
