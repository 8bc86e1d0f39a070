//! A trigger, compiled: what a row reports to which server.
//!
//! A plan is cached for the session, for all triggers that say the same of tables with the same columns
//! and owner, as the copies of a trigger on partitions do. It lasts until an invalidation message says that
//! the table, a server or a role has changed. A trigger that fires holds the server: until the end of the
//! database transaction its name is that server's. When a row fires a trigger that can no longer be compiled, the user's statement still
//! succeeds, and a callback with what is known of the row is parked with the reason.
#![forbid(unsafe_code)]

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::{Rc, Weak};

use pgrx::pg_sys;

use super::column::Column;
use super::definition::Definition;
use super::row::{ReadColumns, Row};
use crate::callback::edit::is_unidentified;
use crate::callback::{Action, Parameters, UNREAD, is_organic};
use crate::mapping::server_argument::ServerArgument;
use crate::mapping::{ParameterNames, Piece};
use crate::network::Server;
use crate::pg::error::{PgResult, report_in};
use crate::pg::queue::{self, NewCallback};
use crate::pg::server;
use crate::pg::settings::{self, OnInvalidRow};
use crate::pg::sys::foreign_server::{self, ForeignServer};
use crate::pg::sys::invalidation::Dependencies;
use crate::pg::sys::user;
use crate::problem::Problem;

pub struct Plan {
    action: Action,
    arguments: Vec<String>,
    /// The name that the server has, or had.
    server_name: String,
    /// The foreign server; `None` if there is none of the name any more.
    server_oid: Option<pg_sys::Oid>,
    /// The server, unless it is gone or broken, or the table's owner may not use it.
    server: Result<Server, Problem>,
    parameters: Vec<Parameter>,
    columns: ReadColumns,
    /// The column that a row needs a click id in, by its number in [`ReadColumns`].
    condition: Option<usize>,
    /// The arguments that name unreadable columns or do not parse, as they are written; `""` if there are none.
    unread: String,
    /// Whether it skips a row that names neither an affiliate to credit nor a conversion to edit.
    skips_unattributed_rows: bool,
    /// The first problem with the mapping.
    problem: Option<Problem>,
    /// The servers.
    dependencies: Dependencies,
}

/// A parameter, and the parts of its text.
struct Parameter {
    name: String,
    parts: Vec<Part>,
}

impl Parameter {
    /// Its text in a row; `None` if a value is too large.
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

enum Part {
    Text(String),
    /// A column, by its number in [`ReadColumns`].
    Column(usize),
}

impl Part {
    fn text<'a>(&'a self, row: &'a Row) -> Option<Cow<'a, str>> {
        match self {
            Part::Text(text) => Some(text.into()),
            Part::Column(number) => row.text(*number),
        }
    }
}

/// Whether a row can be reported.
pub enum Validation {
    /// It names neither an affiliate to credit nor a conversion to edit: it is skipped.
    Unattributed,
    Valid,
    Invalid(Problem),
}

impl Plan {
    /// Compiles a trigger, as far as that is possible.
    fn new(definition: &Definition, arguments: Vec<String>) -> Plan {
        let dependencies = Dependencies::everything();
        let argument = ServerArgument::of(&arguments);
        let found = match argument {
            ServerArgument::Name(name) => ForeignServer::find(name),
            ServerArgument::Dropped(_) => None,
        };
        let server = match (&found, argument) {
            (Some(found), _) => server::of_table(argument.name(), found, definition.table.owner()),
            (None, ServerArgument::Name(name)) => Err(server::does_not_exist(name)),
            (None, ServerArgument::Dropped(name)) => Err(server::was_dropped(name)),
        };
        let names = server
            .as_ref()
            .ok()
            .and_then(|server| server.parameter_names(definition.action).ok())
            .unwrap_or(ParameterNames::ANY);
        let (mapping, problem) = definition.mapping(&arguments, names);
        let table_columns = definition.table.columns();
        let find = |name: &str| table_columns.iter().find(|column| column.name == name);
        let mut columns = ReadColumns::new();
        let mut part = |piece: &Piece| match piece {
            Piece::Text(text) => Some(Part::Text(text.clone())),
            Piece::Column(name) => find(name).map(|column| Part::Column(columns.add(column))),
        };
        let parameters = mapping
            .parameters()
            .map(|(name, value)| Parameter {
                name: name.to_owned(),
                parts: value.pieces().iter().filter_map(&mut part).collect(),
            })
            .collect();
        let condition = mapping.condition().and_then(find);
        let condition = condition.map(|column| columns.add(column));
        Plan {
            action: definition.action,
            server_name: argument.name().to_owned(),
            server_oid: found.map(|found| found.oid),
            server,
            skips_unattributed_rows: mapping.goes_by_click(definition.action)
                && !mapping.hides_customer(definition.action),
            unread: mapping.unread(),
            parameters,
            columns,
            condition,
            problem,
            arguments,
            dependencies: dependencies.only(Vec::new(), true),
        }
    }

    /// Whether its name is its server's until the end of the database transaction.
    fn is_held(&self) -> bool {
        self.server_oid.is_some_and(foreign_server::is_held)
    }

    /// The columns of the table that it reads, for [`Row::new`].
    pub fn columns(&self) -> &ReadColumns {
        &self.columns
    }

    /// The parameters of a row, with the names of those that could not be read.
    pub fn parameters<'a>(&'a self, row: &'a Row) -> Parameters<'a> {
        let mut parameters = Parameters::new();
        let mut unread = Cow::Borrowed(self.unread.as_str());
        for parameter in &self.parameters {
            let name = parameter.name.as_str();
            match parameter.text(row) {
                Some(text) => parameters.set(name, text),
                None if unread.is_empty() => unread = name.into(),
                None => unread = format!("{unread}, {name}").into(),
            }
        }
        if !unread.is_empty() {
            parameters.set(UNREAD, unread);
        }
        parameters
    }

    /// Whether a row, which has these parameters, can be reported.
    pub fn validate(&self, row: &Row, parameters: &Parameters) -> Validation {
        let condition = self.condition.map(|number| row.text(number));
        if condition.flatten().is_some_and(|text| text.is_empty()) {
            return Validation::Unattributed;
        }
        // A value that is too large to be read is not missing.
        let is_whole = parameters.get(UNREAD) == self.unread;
        if self.skips_unattributed_rows && is_whole && self.is_unattributed(parameters) {
            return Validation::Unattributed;
        }
        let valid = match (&self.server, &self.problem) {
            (Err(problem), _) | (Ok(_), Some(problem)) => Err(problem.clone()),
            (Ok(server), None) => server.check_parameters(self.action, parameters),
        };
        match valid {
            Ok(()) => Validation::Valid,
            Err(problem) => Validation::Invalid(problem),
        }
    }

    /// The URL for the parameters, without the password; `None` if they are invalid.
    pub fn url(&self, parameters: &Parameters) -> Option<String> {
        let server = self.server.as_ref().ok()?;
        server.url(self.action, parameters).ok()
    }

    /// Whether it is an organic customer, or an edit of a conversion that no network knows.
    fn is_unattributed(&self, parameters: &Parameters) -> bool {
        match self.action {
            Action::Lead | Action::Sale => is_organic(parameters),
            Action::Edit => is_unidentified(parameters),
        }
    }

    /// Queues the row's callback.
    pub fn report(
        &self,
        definition: &Definition,
        row: &Row,
        enqueue: impl FnOnce(&NewCallback) -> i64,
    ) -> PgResult<()> {
        let parameters = self.parameters(row);
        let callback = NewCallback {
            server: &self.server_name,
            is_server_gone: self.server_oid.is_none(),
            action: self.action,
            parameters: &parameters,
            problem: None,
        };
        match self.validate(row, &parameters) {
            Validation::Unattributed => {}
            Validation::Valid => {
                enqueue(&callback);
            }
            Validation::Invalid(problem) if settings::on_invalid_row() == OnInvalidRow::Error => {
                let attributes = self.columns.attributes();
                let problem = match user::may_read_columns(definition.table.oid(), attributes) {
                    true => problem,
                    false => problem.without_value(),
                };
                return Err(report_in(&definition.description(), problem));
            }
            Validation::Invalid(problem) => {
                queue::park(&definition.description(), &callback, problem, enqueue);
            }
        }
        Ok(())
    }
}

/// The plan of one trigger.
struct Compiled {
    plan: Rc<Plan>,
    /// The table.
    table: Dependencies,
}

impl Compiled {
    /// Whether it is still what the trigger says: CREATE OR REPLACE TRIGGER keeps its OID, and messages
    /// about it are not processed within the command that is running.
    fn is_valid(&self, definition: &Definition, has_arguments: impl Fn(&[String]) -> bool) -> bool {
        self.is_unchanged()
            && self.plan.action == definition.action
            && has_arguments(&self.plan.arguments)
    }

    fn is_unchanged(&self) -> bool {
        self.table.are_unchanged() && self.plan.dependencies.are_unchanged()
    }
}

/// What makes two triggers report alike.
#[derive(PartialEq, Eq, Hash)]
struct Likeness {
    action: Action,
    arguments: Vec<String>,
    columns: Vec<Column>,
    owner: pg_sys::Oid,
}

thread_local! {
    /// The session's plans, by the trigger's OID.
    static PLANS: RefCell<HashMap<pg_sys::Oid, Compiled>> = RefCell::new(HashMap::new());

    /// The same plans, less those with a problem, which names the table.
    static ALIKE: RefCell<HashMap<Likeness, Weak<Plan>>> = RefCell::new(HashMap::new());
}

/// The plan of a trigger that fires. Its server, if there is one, is held.
pub fn held_plan_of(definition: &Definition) -> Rc<Plan> {
    let as_passed = |arguments: &[String]| definition.trigger.has_arguments(arguments);
    if let Some(plan) = cached(definition, as_passed).filter(|plan| plan.is_held()) {
        return plan;
    }
    let trigger = definition.trigger.oid();
    let arguments_now = || {
        let arguments = definition.table.arguments_of(trigger);
        arguments.unwrap_or_else(|| definition.trigger.arguments())
    };
    loop {
        let arguments = arguments_now();
        let held = match ServerArgument::of(&arguments) {
            ServerArgument::Dropped(_) => None,
            ServerArgument::Name(name) => {
                let held = foreign_server::hold(name);
                if held.is_none() {
                    // It may have been renamed, and the message is yet to come.
                    definition.table.read_anew();
                }
                held
            }
        };
        let plan = plan_with(definition, arguments_now());
        // What has taken effect before the server was held is known by now.
        if plan.arguments == arguments && plan.server_oid == held {
            return plan;
        }
    }
}

/// The plan of a trigger, compiled if there is none that is still valid.
pub fn plan_of(definition: &Definition) -> Rc<Plan> {
    plan_with(definition, definition.trigger.arguments())
}

/// The plan that the session has, if it is still valid.
fn cached(definition: &Definition, has_arguments: impl Fn(&[String]) -> bool) -> Option<Rc<Plan>> {
    PLANS.with_borrow(|plans| {
        let compiled = plans.get(&definition.trigger.oid())?;
        let is_valid = compiled.is_valid(definition, has_arguments);
        is_valid.then(|| compiled.plan.clone())
    })
}

/// The plan of a trigger with these arguments.
fn plan_with(definition: &Definition, arguments: Vec<String>) -> Rc<Plan> {
    let trigger = definition.trigger.oid();
    if let Some(plan) = cached(definition, |its| its == arguments) {
        return plan;
    }
    // Before the columns are read.
    let table = Dependencies::everything();
    let plan = alike(definition, arguments);
    let table = table.only(vec![definition.table.oid()], false);
    let compiled = Compiled {
        plan: plan.clone(),
        table,
    };
    let invalid: Vec<Compiled> = PLANS.with_borrow_mut(|plans| {
        let old = plans.insert(trigger, compiled);
        let invalid = plans.extract_if(|_, compiled| !compiled.is_unchanged());
        old.into_iter().chain(invalid.map(|(_, old)| old)).collect()
    });
    // Frees memory of PostgreSQL's: not while the map is borrowed.
    drop(invalid);
    plan
}

/// A plan that is valid for a trigger: that of one alike, or a new one.
fn alike(definition: &Definition, arguments: Vec<String>) -> Rc<Plan> {
    let likeness = Likeness {
        action: definition.action,
        arguments,
        columns: definition.table.columns(),
        owner: definition.table.owner(),
    };
    let known = ALIKE.with_borrow(|alike| alike.get(&likeness)?.upgrade());
    if let Some(plan) = known.filter(|plan| plan.dependencies.are_unchanged()) {
        return plan;
    }
    let plan = Rc::new(Plan::new(definition, likeness.arguments.clone()));
    if plan.problem.is_none() {
        ALIKE.with_borrow_mut(|alike| {
            alike.retain(|_, plan| plan.strong_count() > 0);
            alike.insert(likeness, Rc::downgrade(&plan));
        });
    }
    plan
}
