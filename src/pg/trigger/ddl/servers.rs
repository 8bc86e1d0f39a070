//! Changes of servers: the worker is told, triggers and queue go on with the server that they were for,
//! and there are warnings of triggers that are left unable to work. These come from the catalogs alone, to
//! wait for no table's lock.
//!
//! Names stand for servers, and a name is kept true: it is the same server's as long as a trigger or a
//! callback has it. Whatever queues holds the server, and a server gets or loses a name only while nothing
//! holds it, so that no database transaction that is open can add to what is changed here.
#![forbid(unsafe_code)]

use std::collections::{HashMap, HashSet};

use pgrx::pg_sys;
use pgrx::prelude::*;
use pgrx::spi;

use super::command::Command;
use super::warnings::Warnings;
use crate::callback::Action;
use crate::mapping::{Mapping, server_argument};
use crate::network::Server;
use crate::pg::error::{self, PgResult};
use crate::pg::process::wake;
use crate::pg::sys::foreign_server::lock_name;
use crate::pg::sys::spi::run_with_latest_snapshot;
use crate::pg::sys::{catalog, user};
use crate::pg::trigger::definition::description;
use crate::pg::{queue, server};
use crate::problem::Problem;

const CHANGED: &str = include_str!("../../../../sql/runtime/servers_changed.sql");
const DROPPED: &str = include_str!("../../../../sql/runtime/servers_dropped.sql");
const PASSWORDS_DROPPED: &str = include_str!("../../../../sql/runtime/passwords_dropped.sql");

/// Tells the worker of servers that the command made or changed. A new name is given to what is the
/// server's, and to nothing else; triggers that do not fit new options are warned of.
pub fn check_changed(command: &Command) -> PgResult<()> {
    let changed = servers_changed().map_err(error::spi)?;
    let Some((name, oid)) = changed.first() else {
        return Ok(());
    };
    wake::reload_at_commit();
    if command.changes_server_owner() {
        return warn_of_no_password(changed.into_iter().map(|(name, _)| name));
    }
    if command.tag() == b"CREATE SERVER" {
        lock_name(*oid);
        return disown(name);
    }
    if let Some(before) = command.renamed_server() {
        lock_name(*oid);
        disown(name)?;
        queue::servers::rename(&before, name).map_err(error::spi)?;
        return rename_in_triggers(&before, name);
    }
    match command.server_with_new_options() {
        Some(server) => warn_of_misfits(&server),
        None => Ok(()),
    }
}

/// The same for servers that the command dropped: what was theirs waits for a person.
pub fn check_dropped(command: &Command) -> PgResult<()> {
    // No other command drops a server. Most that drop something do not come further.
    let may_drop = matches!(
        command.tag(),
        b"DROP SERVER" | b"DROP USER MAPPING" | b"DROP OWNED" | b"DROP EXTENSION"
    );
    if !may_drop && !command.is_drop_cascade() {
        return Ok(());
    }
    let dropped = names(DROPPED).map_err(error::spi)?;
    if dropped.is_empty() {
        return Ok(());
    }
    wake::reload_at_commit();
    let gone: Vec<String> = dropped.into_iter().flatten().collect();
    warn_of_dropped(&gone)?;
    gone.iter().try_for_each(|name| disown(name))?;
    let without_password = names(PASSWORDS_DROPPED).map_err(error::spi)?;
    warn_of_no_password(without_password.into_iter().flatten())
}

/// Makes sure that nothing in the queue is for whatever server has the name from now on, and that no trigger
/// reports to it.
fn disown(name: &str) -> PgResult<()> {
    let reason = server::was_dropped(name).one_line();
    queue::servers::park_dropped(name, &reason).map_err(error::spi)?;
    rename_in_triggers(name, &server_argument::mark(name))
}

/// Changes the first argument of triggers, as if they had been created with it.
fn rename_in_triggers(before: &str, now: &str) -> PgResult<()> {
    wait_for_partitions(before)?;
    let sql = include_str!("../../../../sql/runtime/rename_server_in_triggers.sql");
    let tables = user::run_as_superuser(|| run_with_latest_snapshot(sql, &[before, now]));
    tables
        .map_err(error::spi)?
        .into_iter()
        .for_each(catalog::invalidate);
    Ok(())
}

/// Waits for database transactions that make partitions, which have copies of their parents' triggers, and
/// keeps others from it.
fn wait_for_partitions(server: &str) -> PgResult<()> {
    let sql = include_str!("../../../../sql/runtime/partitioned_tables_of_server.sql");
    let mut locked = HashSet::new();
    loop {
        let tables = run_with_latest_snapshot(sql, &[server]).map_err(error::spi)?;
        let new: Vec<_> = tables.into_iter().filter(|it| locked.insert(*it)).collect();
        if new.is_empty() {
            return Ok(());
        }
        // Among these may be tables that a partition was made of meanwhile.
        new.into_iter().for_each(catalog::lock_against_partitions);
    }
}

/// Names and OIDs of servers of our networks that the command made or changed.
fn servers_changed() -> spi::Result<Vec<(String, pg_sys::Oid)>> {
    Spi::connect(|client| {
        let mut servers = Vec::new();
        for row in client.select(CHANGED, None, &[])? {
            if let (Some(name), Some(oid)) = (row.get(1)?, row.get(2)?) {
                servers.push((name, oid));
            }
        }
        Ok(servers)
    })
}

/// Names of servers that a query finds.
fn names(query: &str) -> spi::Result<Vec<Option<String>>> {
    Spi::connect(|client| {
        let rows = client.select(query, None, &[])?;
        rows.into_iter().map(|row| row.get(1)).collect()
    })
}

/// Warns of triggers whose server is one of those that the command dropped.
fn warn_of_dropped(gone: &[String]) -> PgResult<()> {
    if gone.is_empty() {
        return Ok(());
    }
    warn(|trigger| {
        let problem = gone
            .iter()
            .any(|name| name == trigger.server())
            .then(|| server::was_dropped(trigger.server()));
        problem.map_or(Ok(()), Err)
    })
}

/// Warns of triggers of those of the servers that have no password.
fn warn_of_no_password(servers: impl Iterator<Item = String>) -> PgResult<()> {
    let mut lacking = HashMap::new();
    for server in servers {
        if let Some(problem) = server::lacks_password(&server) {
            lacking.insert(server, problem);
        }
    }
    if lacking.is_empty() {
        return Ok(());
    }
    warn(|trigger| match lacking.get(trigger.server()) {
        Some(problem) => Err(problem.clone()),
        None => Ok(()),
    })
}

fn warn_of_misfits(server: &str) -> PgResult<()> {
    let Ok(server) = server::read(server) else {
        return Ok(());
    };
    warn(|trigger| match trigger.server() == server.name {
        true => check(&server, trigger),
        false => Ok(()),
    })
}

fn warn(check: impl Fn(&CatalogTrigger) -> Result<(), Problem>) -> PgResult<()> {
    let mut warnings = Warnings::default();
    for trigger in triggers().map_err(error::spi)? {
        if let Err(problem) = check(&trigger) {
            warnings.warn(&trigger.description, problem);
        }
    }
    warnings.finish();
    Ok(())
}

/// A trigger, without its table's columns.
struct CatalogTrigger {
    /// How messages name it.
    description: String,
    action: Action,
    /// The server first.
    arguments: Vec<String>,
}

impl CatalogTrigger {
    fn server(&self) -> &str {
        self.arguments.first().map_or("", String::as_str)
    }
}

/// All triggers that call a function of the extension.
fn triggers() -> spi::Result<Vec<CatalogTrigger>> {
    const QUERY: &str = include_str!("../../../../sql/runtime/triggers_with_arguments.sql");
    Spi::connect(|client| {
        let mut triggers = Vec::new();
        for row in client.select(QUERY, None, &[])? {
            let text = |column| row.get::<String>(column).map(Option::unwrap_or_default);
            if let Some(action) = Action::from_function(&text(3)?) {
                triggers.push(CatalogTrigger {
                    description: description(&text(1)?, &text(2)?),
                    action,
                    arguments: arguments_of(&row.get::<Vec<u8>>(4)?.unwrap_or_default()),
                });
            }
        }
        Ok(triggers)
    })
}

/// The arguments in `pg_trigger.tgargs`, where a zero byte ends each.
fn arguments_of(tgargs: &[u8]) -> Vec<String> {
    let ended = tgargs.strip_suffix(&[0]).unwrap_or(tgargs);
    ended
        .split(|byte| *byte == 0)
        .map(|argument| String::from_utf8_lossy(argument).into_owned())
        .collect()
}

/// Whether a trigger's arguments fit its server, whatever columns its table has.
fn check(server: &Server, trigger: &CatalogTrigger) -> Result<(), Problem> {
    let action = trigger.action;
    let names = server.parameter_names(action)?;
    let texts = trigger.arguments.iter().skip(1).map(String::as_str);
    let mut mapping = Mapping::parse(texts, names)?;
    if mapping.needs_click_id(action) {
        mapping.default_click_id("click_id");
    }
    server.check_mapping(action, &mapping)
}
