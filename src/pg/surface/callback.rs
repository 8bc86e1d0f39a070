//! Acting on a queued callback: with USAGE of its server, or as its owner. The tables are read and
//! changed with the rights of their owner.

use pgrx::datum::DatumWithOid;
use pgrx::prelude::*;
use pgrx::spi;

use crate::delivery::Callback;
use crate::pg::error::{self, PgResult};
use crate::pg::process::wake;
use crate::pg::queue::{self, force_sync_commit};
use crate::pg::server;
use crate::pg::sys::session::session_user;
use crate::pg::sys::transaction::check_may_write;

const CALLBACK: &str = include_str!("../../../sql/runtime/callback.sql");
const RETRY: &str = include_str!("../../../sql/runtime/retry.sql");
const RETRY_PARKED: &str = include_str!("../../../sql/runtime/retry_parked.sql");
const CANCEL: &str = include_str!("../../../sql/runtime/cancel.sql");

#[pg_extern(sql = false)]
fn callback_url(id: i64) -> PgResult<Option<String>> {
    let Some(callback) = find(id)? else {
        return Ok(None);
    };
    let server = server::read(&callback.server)?;
    Ok(Some(server.url(callback.action, &callback.parameters())?))
}

#[pg_extern(sql = false)]
fn retry(id: i64) -> PgResult<bool> {
    check_may_write("retry()");
    Ok(find(id)?.is_some() && change(RETRY, &[id.into()])? > 0)
}

#[pg_extern(sql = false)]
fn retry_parked(server: Option<&str>) -> PgResult<i64> {
    check_may_write("retry_parked()");
    let servers = match server {
        Some(server) => {
            server::check_may_act(server)?;
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
    Ok(find(id)?.is_some() && change(CANCEL, &[id.into(), session_user().into()])? > 0)
}

/// The callback, if it is queued and the current user may act on it. Numbers can be guessed: of one
/// that is another's they tell nothing.
fn find(id: i64) -> PgResult<Option<Callback>> {
    let read = || -> spi::Result<Option<Callback>> {
        Spi::connect(|client| {
            let mut rows = client.select(CALLBACK, None, &[id.into()])?;
            rows.next()
                .map_or(Ok(None), |row| queue::read::callback(&row))
        })
    };
    let callback = queue::as_owner(read).map_err(error::spi)?;
    Ok(callback.filter(|callback| server::check_may_act(&callback.server).is_ok()))
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
