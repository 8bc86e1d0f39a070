//! Changes of servers: the worker is told, and there are warnings of triggers that they leave unable to
//! work. These come from the catalogs alone, to wait for no table's lock.
#![forbid(unsafe_code)]

use std::collections::HashMap;

use pgrx::prelude::*;
use pgrx::spi;

use super::command::Command;
use super::warnings::Warnings;
use crate::callback::Action;
use crate::mapping::Mapping;
use crate::network::Server;
use crate::pg::error::{self, PgResult};
use crate::pg::process::wake;
use crate::pg::server;
use crate::pg::trigger::definition::description;
use crate::problem::Problem;

const CHANGED: &str = include_str!("../../../../sql/runtime/servers_changed.sql");
const DROPPED: &str = include_str!("../../../../sql/runtime/servers_dropped.sql");
const PASSWORDS_DROPPED: &str = include_str!("../../../../sql/runtime/passwords_dropped.sql");

/// Tells the worker of servers that the command made or changed, and warns of triggers that do not fit
/// them any more.
pub fn check_changed(command: &Command) -> PgResult<()> {
    let changed = names(CHANGED)?;
    if changed.is_empty() {
        return Ok(());
    }
    wake::reload_at_commit();
    if command.changes_server_owner() {
        return warn_of_no_password(changed);
    }
    if let Some(old_name) = command.renamed_server() {
        return warn_of_no_server(&[old_name]);
    }
    match command.server_with_new_options() {
        Some(server) => warn_of_misfits(&server),
        None => Ok(()),
    }
}

/// The same for servers that the command dropped.
pub fn check_dropped(command: &Command) -> PgResult<()> {
    // No other command drops a server. Most that drop something do not come further.
    if !matches!(
        command.tag(),
        b"DROP SERVER" | b"DROP USER MAPPING" | b"DROP FOREIGN DATA WRAPPER" | b"DROP OWNED"
    ) {
        return Ok(());
    }
    let dropped = names(DROPPED)?;
    if dropped.is_empty() {
        return Ok(());
    }
    wake::reload_at_commit();
    warn_of_no_server(&dropped.into_iter().flatten().collect::<Vec<_>>())?;
    warn_of_no_password(names(PASSWORDS_DROPPED)?)
}

/// The names of servers that `query` finds.
fn names(query: &str) -> PgResult<Vec<Option<String>>> {
    let read = || -> spi::Result<Vec<Option<String>>> {
        Spi::connect(|client| {
            let rows = client.select(query, None, &[])?;
            rows.into_iter().map(|row| row.get(1)).collect()
        })
    };
    read().map_err(error::spi)
}

/// Warns of triggers whose server is one of those that the command took away.
fn warn_of_no_server(gone: &[String]) -> PgResult<()> {
    if gone.is_empty() {
        return Ok(());
    }
    warn(|trigger| {
        let problem = gone
            .iter()
            .any(|name| name == trigger.server())
            .then(|| server::does_not_exist(trigger.server()));
        problem.map_or(Ok(()), Err)
    })
}

/// Warns of triggers of those of the servers that have no password.
fn warn_of_no_password(servers: Vec<Option<String>>) -> PgResult<()> {
    let mut lacking = HashMap::new();
    for server in servers.into_iter().flatten() {
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
