//! Triggers that a change of a server leaves unable to work: warnings, from the catalogs alone, so
//! that they wait for nobody's lock.

use pgrx::prelude::*;
use pgrx::spi;

use super::command::Command;
use crate::callback::Action;
use crate::mapping::Mapping;
use crate::network::Server;
use crate::pg::error::{self, PgResult, report_in};
use crate::pg::queue;
use crate::pg::server;
use crate::pg::trigger::place;
use crate::problem::Problem;

/// Warns of triggers that the command may have left without a server, or with one that they do
/// not fit.
pub fn warn(command: &Command) -> PgResult<()> {
    let warned = match command.tag() {
        b"ALTER SERVER" if command.renames() => warn_of_no_server(),
        b"ALTER SERVER" if command.sets_server_options() => warn_of_misfits(),
        b"DROP SERVER" | b"DROP FOREIGN DATA WRAPPER" | b"DROP OWNED" => warn_of_no_server(),
        _ => Ok(()),
    };
    warned.map_err(error::spi)
}

/// Says which triggers name a server that does not exist.
fn warn_of_no_server() -> spi::Result<()> {
    Spi::connect(|client| {
        for row in client.select(queue::TRIGGERS_WITHOUT_SERVER, None, &[])? {
            let text = |column| row.get::<String>(column).map(Option::unwrap_or_default);
            let place = place(&text(1)?, &text(2)?);
            let problem = server::does_not_exist(&text(3)?);
            report_in(&place, problem).report(PgLogLevel::WARNING);
        }
        Ok(())
    })
}

/// Says which triggers do not fit the server that the command changed.
fn warn_of_misfits() -> spi::Result<()> {
    Spi::connect(|client| {
        for row in client.select(queue::TRIGGERS_OF_SERVER, None, &[])? {
            let text = |column| row.get::<String>(column).map(Option::unwrap_or_default);
            // One that is not of a network of ours was none for the trigger before, either.
            let Ok(server) = server::read(&text(3)?) else {
                continue;
            };
            let Some(action) = Action::from_function(&text(4)?) else {
                continue;
            };
            let arguments = row.get::<Vec<u8>>(5)?.unwrap_or_default();
            if let Err(problem) = check(&server, action, &arguments_of(&arguments)) {
                let place = place(&text(1)?, &text(2)?);
                report_in(&place, problem).report(PgLogLevel::WARNING);
            }
        }
        Ok(())
    })
}

/// Whether a trigger's arguments fit its server, whatever its table has.
fn check(server: &Server, action: Action, arguments: &[String]) -> Result<(), Problem> {
    let names = server.parameter_names(action)?;
    let texts = arguments.iter().skip(1).map(String::as_str);
    let mut mapping = Mapping::parse(texts, names)?;
    if mapping.needs_click_id(action) {
        mapping.default_click_id("click_id");
    }
    server.check_mapping(action, &mapping)
}

/// The arguments of a trigger, the server first, as `pg_trigger.tgargs` has them: a zero byte ends
/// each.
fn arguments_of(tgargs: &[u8]) -> Vec<String> {
    let ended = tgargs.strip_suffix(&[0]).unwrap_or(tgargs);
    ended
        .split(|byte| *byte == 0)
        .map(|argument| String::from_utf8_lossy(argument).into_owned())
        .collect()
}
