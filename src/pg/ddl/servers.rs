//! Triggers that a change of a server leaves unable to work: warnings, from the catalogs alone, so
//! that they wait for nobody's lock.

use pgrx::prelude::*;
use pgrx::spi;

use super::command::Command;
use crate::pg::error::{self, PgResult, report_in};
use crate::pg::queue;
use crate::pg::server::ServerProblem;
use crate::pg::trigger::place;

/// Warns of triggers that the command may have left without a server.
pub fn warn(command: &Command) -> PgResult<()> {
    let warned = match command.tag() {
        b"ALTER SERVER" if command.renames() => warn_of_no_server(),
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
            let problem = ServerProblem::DoesNotExist {
                server: text(3)?,
                nearest: None,
            };
            report_in(Some(&place), &problem).report(PgLogLevel::WARNING);
        }
        Ok(())
    })
}
