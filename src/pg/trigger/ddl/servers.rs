//! Warnings of triggers that a change of a server leaves unable to work. They come from the catalogs
//! alone, to wait for no table's lock.
#![forbid(unsafe_code)]

use pgrx::prelude::*;
use pgrx::spi;

use super::command::Command;
use crate::callback::Action;
use crate::mapping::Mapping;
use crate::network::Server;
use crate::pg::error::{self, PgResult, report_in};
use crate::pg::server;
use crate::pg::trigger::definition::description;
use crate::problem::Problem;

/// Warns of triggers whose server does not exist, or that do not fit it, after the command.
pub fn warn(command: &Command) -> PgResult<()> {
    match command.tag() {
        b"ALTER SERVER" if command.is_rename() => warn_of_no_server(),
        b"ALTER SERVER" => match command.server_with_new_options() {
            Some(server) => warn_of_misfits(&server),
            None => Ok(()),
        },
        b"DROP SERVER" | b"DROP FOREIGN DATA WRAPPER" | b"DROP OWNED" => warn_of_no_server(),
        _ => Ok(()),
    }
}

fn warn_of_no_server() -> PgResult<()> {
    for trigger in triggers().map_err(error::spi)? {
        if !server::exists(trigger.server()) {
            let problem = server::does_not_exist(trigger.server());
            report_in(&trigger.description, problem).report(PgLogLevel::WARNING);
        }
    }
    Ok(())
}

fn warn_of_misfits(server: &str) -> PgResult<()> {
    // A server of another wrapper did not fit the trigger before, either.
    let Ok(server) = server::read(server) else {
        return Ok(());
    };
    for trigger in triggers().map_err(error::spi)? {
        if trigger.server() == server.name
            && let Err(problem) = check(&server, &trigger)
        {
            report_in(&trigger.description, problem).report(PgLogLevel::WARNING);
        }
    }
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
