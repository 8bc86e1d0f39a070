//! What a trigger is to report: its table, its timing, and its arguments as a mapping onto columns.
#![forbid(unsafe_code)]

use pgrx::pg_sys;

use super::column::{self, Column};
use super::relation::{Table, Trigger, with_triggers};
use crate::callback::Action;
use crate::mapping::{Mapping, MappingError, Names};
use crate::network::NoSuchAction;
use crate::pg::server::{self, ServerProblem};
use crate::pg::sys::catalog;
use crate::problem::{Class, Problem};

/// A trigger that calls one of the extension's functions.
pub struct Definition<'a> {
    pub trigger: Trigger<'a>,
    pub table: Table<'a>,
    pub action: Action,
}

/// Why a trigger cannot work.
pub enum TriggerProblem {
    /// No arguments at all, or an empty server name.
    NoServer,
    /// Its server cannot be used.
    Server(ServerProblem),
    /// Its server's network does not have the action.
    NoSuchAction(NoSuchAction),
    /// Its arguments make no mapping.
    Mapping(MappingError),
    /// BEFORE, INSTEAD OF, DELETE, TRUNCATE, or on a view.
    Timing(&'static str),
    /// Statement level without the new rows.
    NoTransitionTable,
}

impl std::fmt::Display for TriggerProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            TriggerProblem::NoServer => f.write_str("the first argument must be a server"),
            TriggerProblem::Server(problem) => problem.fmt(f),
            TriggerProblem::NoSuchAction(problem) => problem.fmt(f),
            TriggerProblem::Mapping(problem) => problem.fmt(f),
            TriggerProblem::Timing(what) => write!(f, "{what} is not supported"),
            TriggerProblem::NoTransitionTable => {
                f.write_str("a FOR EACH STATEMENT trigger needs a transition table")
            }
        }
    }
}

impl TriggerProblem {
    fn inner(&self) -> Option<&dyn Problem> {
        match self {
            TriggerProblem::Server(problem) => Some(problem),
            TriggerProblem::NoSuchAction(problem) => Some(problem),
            TriggerProblem::Mapping(problem) => Some(problem),
            TriggerProblem::NoServer
            | TriggerProblem::Timing(_)
            | TriggerProblem::NoTransitionTable => None,
        }
    }
}

impl Problem for TriggerProblem {
    fn class(&self) -> Class {
        match self.inner() {
            Some(problem) => problem.class(),
            None => Class::InvalidDefinition,
        }
    }

    fn detail(&self) -> Option<String> {
        self.inner().and_then(Problem::detail)
    }

    fn hint(&self) -> Option<String> {
        match self {
            TriggerProblem::NoServer => {
                Some("Write for example report_lead('server', 'transaction_id={id}').".to_owned())
            }
            TriggerProblem::Timing(_) => {
                Some("Make it AFTER INSERT OR UPDATE on a table.".to_owned())
            }
            TriggerProblem::NoTransitionTable => Some(
                "Write AFTER INSERT ON … REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT, and another trigger for UPDATE."
                    .to_owned(),
            ),
            _ => self.inner().and_then(Problem::hint),
        }
    }
}

impl Definition<'_> {
    /// Calls `body` with the first trigger on a table that `is_wanted` accepts; `None` if there is
    /// none of ours.
    pub fn find<R>(
        table: pg_sys::Oid,
        is_wanted: impl Fn(&Trigger) -> bool,
        body: impl FnOnce(&Definition) -> R,
    ) -> Option<R> {
        with_triggers(table, |table, triggers| {
            let (trigger, action) = triggers
                .into_iter()
                .filter(is_wanted)
                .find_map(|trigger| Some((trigger, reported_action(&trigger)?)))?;
            Some(body(&Definition {
                trigger,
                table,
                action,
            }))
        })?
    }

    /// Checks everything: timing, server, arguments and columns.
    pub fn check(&self) -> Result<(), TriggerProblem> {
        self.check_timing()?;
        let arguments = self.trigger.arguments();
        let server = match arguments.first() {
            None => return Err(TriggerProblem::NoServer),
            Some(name) if name.is_empty() => return Err(TriggerProblem::NoServer),
            Some(name) => server::find(Some(name)).map_err(TriggerProblem::Server)?,
        };
        let names = server
            .names(self.action)
            .map_err(TriggerProblem::NoSuchAction)?;
        match self.mapping(&arguments, names) {
            (_, Some(problem)) => Err(TriggerProblem::Mapping(problem)),
            (mapping, None) => server
                .check(self.action, &mapping)
                .map_err(TriggerProblem::Mapping),
        }
    }

    /// Checks whether the arguments fit the table's columns.
    pub fn check_columns(&self) -> Result<(), TriggerProblem> {
        match self.mapping(&self.trigger.arguments(), Names::ANY) {
            (_, Some(problem)) => Err(TriggerProblem::Mapping(problem)),
            (_, None) => Ok(()),
        }
    }

    /// Whether the arguments fitted the columns that the table had before the current command.
    pub fn fitted_before_command(&self) -> bool {
        let columns = column::before_command(self.table.oid());
        let (_, problem) = self.mapping_onto(columns, &self.trigger.arguments(), Names::ANY);
        problem.is_none()
    }

    /// Checks table, level and events.
    pub fn check_timing(&self) -> Result<(), TriggerProblem> {
        if self.table.is_view() {
            return Err(TriggerProblem::Timing("a trigger on a view"));
        }
        let unsupported = [
            (pg_sys::TRIGGER_TYPE_BEFORE, "a BEFORE trigger"),
            (pg_sys::TRIGGER_TYPE_INSTEAD, "an INSTEAD OF trigger"),
            (pg_sys::TRIGGER_TYPE_DELETE, "a DELETE trigger"),
            (pg_sys::TRIGGER_TYPE_TRUNCATE, "a TRUNCATE trigger"),
        ];
        let has = |(bit, _): &(u32, _)| self.trigger.has(*bit);
        if let Some((_, what)) = unsupported.into_iter().find(has) {
            return Err(TriggerProblem::Timing(what));
        }
        match self.is_row_trigger() || self.trigger.has_new_table() {
            true => Ok(()),
            false => Err(TriggerProblem::NoTransitionTable),
        }
    }

    /// The mapping, as far as the arguments make one, and the first problem with it.
    pub fn mapping(&self, arguments: &[String], names: Names) -> (Mapping, Option<MappingError>) {
        self.mapping_onto(self.table.columns(), arguments, names)
    }

    fn mapping_onto(
        &self,
        columns: Vec<Column>,
        arguments: &[String],
        names: Names,
    ) -> (Mapping, Option<MappingError>) {
        let texts = arguments.iter().skip(1).map(String::as_str);
        let (mut mapping, problem) = Mapping::read(texts, names);
        let no_click_id = self.find_click_id(&mut mapping, &columns).err();
        let problem = problem
            .or_else(|| self.unreadable_column(&mapping, &columns))
            .or(no_click_id);
        mapping.leave_out_unless(|name| {
            let named = columns.iter().find(|column| column.name == name);
            named.is_some_and(|column| !column.is_virtual)
        });
        (mapping, problem)
    }

    /// Maps the click id onto the only column of its type, unless an argument maps it.
    fn find_click_id(&self, mapping: &mut Mapping, columns: &[Column]) -> Result<(), MappingError> {
        if !mapping.needs_click_id(self.action) {
            return Ok(());
        }
        let click_id = catalog::type_oid(c"click_id");
        let click_ids: Vec<_> = columns
            .iter()
            .filter(|column| catalog::base_type(column.type_oid) == click_id)
            .map(|column| column.name.clone())
            .collect();
        match click_ids.as_slice() {
            [one] => mapping.default_click_id(one),
            // A voucher code can be credited without a click id.
            [] if mapping.says("voucher_code") => {}
            _ => {
                mapping.leave_out_click_id();
                return Err(MappingError::NoClickId {
                    table: self.table.name(),
                    columns: click_ids,
                });
            }
        }
        Ok(())
    }

    /// The first placeholder for a column that does not exist, or has no value when a trigger fires.
    fn unreadable_column(&self, mapping: &Mapping, columns: &[Column]) -> Option<MappingError> {
        let find = |name: &str| columns.iter().find(|column| column.name == name);
        let unknown = mapping.columns().find(|(name, _)| find(name).is_none());
        if let Some((column, argument)) = unknown {
            return Some(MappingError::UnknownColumn {
                column: column.to_owned(),
                argument: argument.to_owned(),
                table: self.table.name(),
                columns: columns.iter().map(|column| column.name.clone()).collect(),
            });
        }
        let is_virtual = |name: &str| find(name).is_some_and(|column| column.is_virtual);
        let (column, _) = mapping.columns().find(|(name, _)| is_virtual(name))?;
        Some(MappingError::VirtualColumn {
            column: column.to_owned(),
            table: self.table.name(),
        })
    }

    fn is_row_trigger(&self) -> bool {
        self.trigger.has(pg_sys::TRIGGER_TYPE_ROW)
    }

    /// Whether it fires for rows of the table's children. A row trigger of a partitioned table does;
    /// other children have row triggers of their own. A transition table holds the rows of children
    /// that the statement reaches: those of an update, not of an insert.
    pub fn reports_children(&self) -> bool {
        let is_update = self.trigger.has(pg_sys::TRIGGER_TYPE_UPDATE);
        self.table.is_partitioned() || (is_update && !self.is_row_trigger())
    }

    pub fn name(&self) -> String {
        self.trigger.name().to_string_lossy().into_owned()
    }

    /// How messages name the trigger.
    pub fn description(&self) -> String {
        description(&self.name(), &self.table.name())
    }
}

/// How messages name a trigger.
pub fn description(trigger: &str, table: &str) -> String {
    format!("trigger \"{trigger}\" on table \"{table}\"")
}

/// What a trigger reports; `None` if its function is not one of ours.
fn reported_action(trigger: &Trigger) -> Option<Action> {
    Action::from_function(&catalog::function_name(trigger.function())?)
}
