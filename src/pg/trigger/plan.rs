//! A trigger, compiled: what each row says to which server.
//!
//! A plan is kept for the session while the table's definition and the servers stand: an
//! invalidation of either drops it. When a row fires a trigger that could not be compiled any
//! more, the user's statement succeeds all the same, and a callback with what is known of the row
//! is parked with the reason.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use pgrx::pg_sys;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use super::definition::Definition;
use super::row::{OutputFunction, Row};
use crate::callback::edit::is_unidentified;
use crate::callback::{Action, Parameters, UNREAD, is_organic};
use crate::mapping::{ParameterNames, Piece};
use crate::network::{MAX_URL, Server};
use crate::pg::error::{PgResult, report_in};
use crate::pg::queue::Entry;
use crate::pg::server;
use crate::pg::settings::{self, OnInvalidRow};
use crate::pg::sys::invalidation::Watch;
use crate::pg::sys::memory::OwnedContext;
use crate::problem::Problem;

/// So many bytes of each value of a row that cannot be sent are kept: more than can be sent at all,
/// and less than jsonb refuses.
const MOST_PARKED: usize = MAX_URL;

/// A trigger, compiled.
pub struct Plan {
    /// How messages name the trigger.
    place: String,
    action: Action,
    /// The server's name, as the trigger's first argument says it.
    server_name: String,
    /// The server, unless it is gone or broken.
    server: Result<Server, Problem>,
    parameters: Vec<Parameter>,
    /// The arguments that no row can be read by, as they are written; `""` if there are none.
    unread: String,
    /// So many of the table's columns, from the first, hold all that is read.
    columns: usize,
    /// A row with neither click id nor voucher says nothing: there is nobody to credit, or no
    /// transaction to edit.
    skips_nobody: bool,
    /// What is wrong with the mapping, if anything is.
    problem: Option<Problem>,
    /// Over the table and the servers.
    watch: Watch,
    /// Holds what the output functions keep between calls.
    _memory: OwnedContext,
}

/// A parameter, and what its text is made of.
struct Parameter {
    name: String,
    parts: Vec<Part>,
}

impl Parameter {
    /// Its text of a row; `None` if a value is too large.
    fn text<'a>(&'a self, row: &'a Row) -> Option<Cow<'a, str>> {
        match self.parts.as_slice() {
            [part] => part.text(row),
            parts => {
                let text: Option<String> = parts.iter().map(|part| part.text(row)).collect();
                text.map(Cow::Owned)
            }
        }
    }
}

/// A piece of a parameter's text.
enum Part {
    Text(String),
    Column {
        /// Its place in the row, from 0.
        place: usize,
        output: OutputFunction,
    },
}

impl Part {
    fn text<'a>(&'a self, row: &'a Row) -> Option<Cow<'a, str>> {
        match self {
            Part::Text(text) => Some(text.into()),
            Part::Column { place, output } => row.text(*place, output),
        }
    }
}

/// What a row comes to.
pub enum Outcome {
    /// Nobody is credited, or no network knows of the transaction: nothing is said.
    Nobody,
    /// It can be said.
    Valid,
    /// It cannot be said.
    Invalid(Problem),
}

impl Plan {
    /// Compiles a trigger as well as it can be.
    fn new(definition: &Definition) -> Plan {
        let watch = Watch::start();
        let arguments = definition.arguments();
        let server_name = arguments.first().cloned().unwrap_or_default();
        let server = server::read(&server_name);
        let names = server
            .as_ref()
            .ok()
            .and_then(|server| server.parameter_names(definition.action).ok())
            .unwrap_or(ParameterNames::ANY);
        let (mapping, problem) = definition.mapping(&arguments, names);
        let memory = OwnedContext::of_session(c"s2s trigger");
        let columns = definition.columns();
        let find = |name: &str| columns.iter().find(|column| column.name == name);
        let mut columns_read = 0;
        let mut part = |piece: &Piece| match piece {
            Piece::Text(text) => Some(Part::Text(text.clone())),
            Piece::Column(name) => find(name).map(|column| {
                columns_read = columns_read.max(column.place + 1);
                Part::Column {
                    place: column.place,
                    output: OutputFunction::new(column.type_oid, &memory),
                }
            }),
        };
        let parameters = mapping
            .parameters()
            .map(|(name, value)| Parameter {
                name: name.to_owned(),
                parts: value.pieces().iter().filter_map(&mut part).collect(),
            })
            .collect();
        Plan {
            place: definition.place(),
            action: definition.action,
            server_name,
            server,
            skips_nobody: mapping.goes_by_click(definition.action)
                && !mapping.hides_customer(definition.action),
            unread: mapping.unread(),
            parameters,
            columns: columns_read,
            problem,
            watch: watch.only(vec![definition.table_oid()], true),
            _memory: memory,
        }
    }

    /// A row of the trigger's table.
    ///
    /// # Safety
    ///
    /// The slot holds such a row as long as what is returned lives; so does the current memory
    /// context.
    #[allow(unsafe_code)]
    pub unsafe fn row(&self, slot: *mut pg_sys::TupleTableSlot) -> Row {
        // SAFETY: as the caller says.
        unsafe { Row::new(slot, self.columns) }
    }

    /// What the row says, and what could not be read of it.
    pub fn said<'a>(&'a self, row: &'a Row) -> Parameters<'a> {
        let mut said = Parameters::new();
        let mut unread = Cow::Borrowed(self.unread.as_str());
        for parameter in &self.parameters {
            let name = parameter.name.as_str();
            match parameter.text(row) {
                Some(text) => said.set(name, text),
                None if unread.is_empty() => unread = name.into(),
                None => unread = format!("{unread}, {name}").into(),
            }
        }
        if !unread.is_empty() {
            said.set(UNREAD, unread);
        }
        said
    }

    /// Whether it can be sent.
    pub fn judge(&self, said: &Parameters) -> Outcome {
        // What is too large in this row is there.
        let is_whole = said.get(UNREAD) == self.unread;
        if self.skips_nobody && is_whole && self.is_nobody(said) {
            return Outcome::Nobody;
        }
        let valid = match (&self.server, &self.problem) {
            (Err(problem), _) | (Ok(_), Some(problem)) => Err(problem.clone()),
            (Ok(server), None) => server.check_parameters(self.action, said),
        };
        match valid {
            Ok(()) => Outcome::Valid,
            Err(problem) => Outcome::Invalid(problem),
        }
    }

    /// The URL that says it, without the password; `None` if it cannot be said.
    pub fn url(&self, said: &Parameters) -> Option<String> {
        let server = self.server.as_ref().ok()?;
        server.url(self.action, said).ok()
    }

    /// An organic customer, or an edit of a transaction that no network knows.
    fn is_nobody(&self, said: &Parameters) -> bool {
        match self.action {
            Action::Lead | Action::Sale => is_organic(said),
            Action::Edit => is_unidentified(said),
        }
    }

    /// Queues what the row has to say.
    pub fn report(&self, row: &Row, enqueue: impl FnOnce(&Entry) -> i64) -> PgResult<()> {
        let said = self.said(row);
        let entry = Entry {
            server: &self.server_name,
            action: self.action,
            said: &said,
            problem: None,
        };
        match self.judge(&said) {
            Outcome::Nobody => {}
            Outcome::Valid => {
                enqueue(&entry);
            }
            Outcome::Invalid(problem) if settings::on_invalid_row() == OnInvalidRow::Error => {
                return Err(report_in(&self.place, problem));
            }
            Outcome::Invalid(problem) => {
                let reason = problem.one_line();
                let id = enqueue(&Entry {
                    said: &said.cut(MOST_PARKED),
                    problem: Some(&reason),
                    ..entry
                });
                let line = format!(
                    "s2s: callback {id} for server \"{}\" is parked: {reason}",
                    self.server_name
                );
                // Not for the client, who may not be allowed to read the row.
                ErrorReport::new(PgSqlErrorCode::ERRCODE_SUCCESSFUL_COMPLETION, line, "s2s")
                    .report(PgLogLevel::LOG_SERVER_ONLY);
            }
        }
        Ok(())
    }
}

thread_local! {
    /// The session's plans, by trigger.
    static PLANS: RefCell<HashMap<pg_sys::Oid, Rc<Plan>>> = RefCell::new(HashMap::new());
}

/// The plan of a trigger, compiled if there is none that still holds.
pub fn plan_of(definition: &Definition) -> Rc<Plan> {
    let oid = definition.trigger.tgoid;
    let found =
        PLANS.with_borrow(|plans| plans.get(&oid).filter(|plan| plan.watch.holds()).cloned());
    if let Some(plan) = found {
        return plan;
    }
    let plan = Rc::new(Plan::new(definition));
    let old: Vec<Rc<Plan>> = PLANS.with_borrow_mut(|plans| {
        let old = plans
            .extract_if(|_, plan| !plan.watch.holds())
            .map(|(_, plan)| plan)
            .collect();
        plans.insert(oid, plan.clone());
        old
    });
    // Dropping old plans frees memory of PostgreSQL's: not while the map is borrowed.
    drop(old);
    plan
}
