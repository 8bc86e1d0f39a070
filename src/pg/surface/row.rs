//! Queueing from a user's own trigger, which must not make the user's statement fail.

use pgrx::prelude::*;

use crate::callback::{Action, missing};
use crate::mapping::ParameterNames;
use crate::mapping::object::RowObject;
use crate::pg::error::{PgResult, report_in};
use crate::pg::queue::{self, NewCallback};
use crate::pg::server;
use crate::pg::settings::{self, OnInvalidRow};
use crate::pg::sys::jsonb::JsonbText;
use crate::pg::sys::transaction::check_may_write;
use crate::problem::{Problem, did_you_mean};

/// Queues a callback as a trigger of ours does: what is invalid is parked.
#[pg_extern(sql = false)]
fn queue_callback(
    server: Option<&str>,
    action: Option<&str>,
    parameters: Option<JsonbText<'_>>,
) -> PgResult<Option<i64>> {
    check_may_write("queue_callback()");
    let server_name = server::hold(server)?;
    let action = read_action(action)?;
    if !settings::enabled() {
        return Ok(None);
    }
    let server = server::read(server_name);
    let names = server.as_ref().ok();
    let names = names.and_then(|server| server.parameter_names(action).ok());
    let text = parameters.map_or("null", |JsonbText(text)| text);
    let row = RowObject::read(text, action, names.unwrap_or(ParameterNames::ANY));
    if row.is_unattributed {
        return Ok(None);
    }
    let callback = NewCallback {
        server: server_name,
        is_server_gone: false,
        action,
        parameters: &row.parameters,
        problem: None,
    };
    let valid = match (&server, row.problem) {
        (Err(problem), _) => Err(problem.clone()),
        (Ok(_), Some(problem)) => Err(problem),
        (Ok(server), None) => server.check_parameters(action, &row.parameters),
    };
    let id = match (valid, server) {
        (Ok(()), _) => queue::enqueue(&callback),
        (Err(problem), server) if settings::on_invalid_row() == OnInvalidRow::Error => {
            return Err(match server {
                Ok(server) => report_in(&server.place(&row.parameters), problem),
                Err(_) => problem.into(),
            });
        }
        (Err(problem), _) => queue::park("queue_callback()", &callback, problem, queue::enqueue),
    };
    Ok(Some(id))
}

fn read_action(name: Option<&str>) -> Result<Action, Problem> {
    let name = name.ok_or_else(|| missing("action"))?;
    Action::from_name(name).ok_or_else(|| {
        let names = Action::ALL.iter().map(|action| action.name());
        Problem::invalid("action", name).hint(did_you_mean("actions", name, names))
    })
}
