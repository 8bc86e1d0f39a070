//! What a trigger is to report: its table, its timing, and its arguments as a mapping onto columns.
#![forbid(unsafe_code)]

use pgrx::pg_sys;

use super::column::{self, Column};
use super::relation::{Table, Trigger, with_triggers};
use crate::callback::Action;
use crate::mapping::server_argument::ServerArgument;
use crate::mapping::{Mapping, ParameterNames, Wanted};
use crate::pg::queue;
use crate::pg::server;
use crate::pg::sys::catalog;
use crate::problem::{Class, Problem, Quoted, did_you_mean, list};

/// A trigger that calls one of the extension's functions.
pub struct Definition<'a> {
    pub trigger: Trigger<'a>,
    pub table: Table<'a>,
    pub action: Action,
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
    pub fn check(&self) -> Result<(), Problem> {
        self.check_timing()?;
        let arguments = self.trigger.arguments();
        let server = match ServerArgument::of(&arguments) {
            // As a dump has it.
            ServerArgument::Dropped(_) if queue::is_owner() => return Ok(()),
            ServerArgument::Dropped(name) => return Err(server::was_dropped(name)),
            ServerArgument::Name(name) if !is_forgotten(name) => server::find_held(Some(name))?,
            ServerArgument::Name(given) => {
                let message = "the first argument must be a server";
                let problem = Problem::new(Class::InvalidDefinition, message).hint(format!(
                    "Write for example {}('server', 'transaction_id={{id}}').",
                    self.action.function()
                ));
                return Err(match given {
                    "" => problem,
                    text => problem.detail(format!("It is {}.", Quoted(text))),
                });
            }
        };
        let names = server.parameter_names(self.action)?;
        match self.mapping(&arguments, names) {
            (_, Some(problem)) => Err(problem),
            (mapping, None) => server.check_mapping(self.action, &mapping),
        }
    }

    /// Refuses what triggers of earlier versions may have and new ones may not.
    pub fn check_new(&self) -> Result<(), Problem> {
        let (mapping, _) = self.mapping(&self.trigger.arguments(), ParameterNames::ANY);
        mapping.check_click_id()?;
        check_types(&mapping, &self.table.columns())
    }

    /// Checks whether the arguments fit the table's columns.
    pub fn check_columns(&self) -> Result<(), Problem> {
        self.check_columns_of(self.table.columns())
    }

    /// Whether the arguments fitted the columns that the table had before the current command.
    pub fn fitted_before_command(&self) -> bool {
        let columns = column::before_command(self.table.oid());
        self.check_columns_of(columns).is_ok()
    }

    fn check_columns_of(&self, columns: Vec<Column>) -> Result<(), Problem> {
        let arguments = self.trigger.arguments();
        match self.mapping_onto(&columns, &arguments, ParameterNames::ANY) {
            (_, Some(problem)) => Err(problem),
            (mapping, None) => check_types(&mapping, &columns),
        }
    }

    /// Checks table, level and events.
    pub fn check_timing(&self) -> Result<(), Problem> {
        let not_supported = |what| {
            let message = format!("{what} is not supported");
            Problem::new(Class::InvalidDefinition, message)
                .hint("Make it AFTER INSERT OR UPDATE on a table.")
        };
        if self.table.is_view() {
            return Err(not_supported("a trigger on a view"));
        }
        let unsupported = [
            (pg_sys::TRIGGER_TYPE_BEFORE, "a BEFORE trigger"),
            (pg_sys::TRIGGER_TYPE_INSTEAD, "an INSTEAD OF trigger"),
            (pg_sys::TRIGGER_TYPE_DELETE, "a DELETE trigger"),
            (pg_sys::TRIGGER_TYPE_TRUNCATE, "a TRUNCATE trigger"),
        ];
        let has = |(bit, _): &(u32, _)| self.trigger.has(*bit);
        if let Some((_, what)) = unsupported.into_iter().find(has) {
            return Err(not_supported(what));
        }
        match self.is_row_trigger() || self.trigger.has_new_table() {
            true => Ok(()),
            false => Err(Problem::new(
                Class::InvalidDefinition,
                "a FOR EACH STATEMENT trigger needs a transition table",
            )
            .hint("Write AFTER INSERT ON … REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT, and another trigger for UPDATE.")),
        }
    }

    /// The mapping, as far as the arguments make one, and the first problem with it.
    pub fn mapping(
        &self,
        arguments: &[String],
        names: ParameterNames,
    ) -> (Mapping, Option<Problem>) {
        self.mapping_onto(&self.table.columns(), arguments, names)
    }

    fn mapping_onto(
        &self,
        columns: &[Column],
        arguments: &[String],
        names: ParameterNames,
    ) -> (Mapping, Option<Problem>) {
        let texts = arguments.iter().skip(1).map(String::as_str);
        let (mut mapping, problem) = Mapping::read(texts, names);
        let no_click_id = self.find_click_id(&mut mapping, columns).err();
        let problem = problem
            .or_else(|| self.unreadable_column(&mapping, columns))
            .or(no_click_id);
        mapping.leave_out_unless(|name| {
            let named = columns.iter().find(|column| column.name == name);
            named.is_some_and(|column| !column.is_virtual)
        });
        (mapping, problem)
    }

    /// Maps the click id onto the only column of its type, unless an argument maps it. An edit by
    /// another identification takes that column as its condition.
    fn find_click_id(&self, mapping: &mut Mapping, columns: &[Column]) -> Result<(), Problem> {
        let is_condition = self.action == Action::Edit && mapping.take_organic()?;
        if !is_condition && !mapping.needs_click_id(self.action) {
            return Ok(());
        }
        let click_id = catalog::type_oid(c"click_id");
        let click_ids: Vec<_> = columns
            .iter()
            .filter(|column| catalog::base_type(column.type_oid) == click_id)
            .map(|column| column.name.clone())
            .collect();
        match click_ids.as_slice() {
            [one] if is_condition => mapping.require_click_id(one),
            [one] => mapping.default_click_id(one),
            [] if is_condition => {}
            // A voucher code can be credited without a click id.
            [] if mapping.provides("voucher_code") => {}
            _ => {
                if !is_condition {
                    mapping.leave_out_click_id();
                }
                let table = self.table.name();
                let table = Quoted(&table);
                let message = match click_ids.is_empty() {
                    true => format!("table {table} has no column of type s2s.click_id"),
                    false => format!("table {table} has several columns of type s2s.click_id"),
                };
                let hint = match is_condition {
                    true => {
                        "Add the argument organic=true, and to a row trigger WHEN for the rows that have a click id: an edit is not for organic customers."
                    }
                    false => "Add an argument click_id={column} that says where the click id is.",
                };
                let mut problem = Problem::new(Class::InvalidDefinition, message).hint(hint);
                if !click_ids.is_empty() {
                    let names = list(click_ids.iter().map(String::as_str));
                    problem = problem.detail(format!("They are {names}."));
                }
                return Err(problem);
            }
        }
        Ok(())
    }

    /// The first placeholder for a column that does not exist, or has no value when a trigger fires.
    fn unreadable_column(&self, mapping: &Mapping, columns: &[Column]) -> Option<Problem> {
        let table = self.table.name();
        let table = Quoted(&table);
        let find = |name: &str| columns.iter().find(|column| column.name == name);
        let unknown = mapping.columns().find(|(name, _)| find(name).is_none());
        if let Some((column, argument)) = unknown {
            let message = format!("column {} of table {table} does not exist", Quoted(column));
            let detail = format!("It is named by the argument {}.", Quoted(argument));
            let names = columns.iter().map(|column| column.name.as_str());
            return Some(
                Problem::new(Class::UndefinedColumn, message)
                    .detail(detail)
                    .hint(did_you_mean("columns", column, names)),
            );
        }
        let is_virtual = |name: &str| find(name).is_some_and(|column| column.is_virtual);
        let (column, _) = mapping.columns().find(|(name, _)| is_virtual(name))?;
        let column = Quoted(column);
        let message = format!("column {column} of table {table} is a virtual generated column");
        Some(
            Problem::new(Class::InvalidDefinition, message)
                .detail("Triggers do not see the values of such columns.")
                .hint("Make it a STORED generated column, or name the columns that it is made of."),
        )
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

/// Whether a first argument is none of a server: an argument that would be the second, or nothing.
fn is_forgotten(name: &str) -> bool {
    name.is_empty() || (name.contains('=') && !server::exists(name))
}

/// Refuses columns whose values cannot be what the parameter is: numbers as click ids, `money` as an
/// amount.
fn check_types(mapping: &Mapping, columns: &[Column]) -> Result<(), Problem> {
    for (wanted, name, argument) in mapping.typed_columns() {
        let Some(column) = columns.iter().find(|column| column.name == name) else {
            continue;
        };
        let name = Quoted(name);
        let invalid = Problem::invalid("trigger argument", argument);
        match wanted {
            Wanted::ClickId if catalog::is_number(column.type_oid) => {
                return Err(invalid
                    .detail(format!(
                        "Column {name} holds numbers, and a click id is text."
                    ))
                    .hint("Name the column that keeps the click id as the visitor brought it."));
            }
            Wanted::Amount if catalog::base_type(column.type_oid) == pg_sys::MONEYOID => {
                return Err(invalid
                    .detail(format!("Column {name} is of type money, whose text, such as $1,234.50, depends on lc_monetary."))
                    .hint("Make it a numeric column."));
            }
            _ => {}
        }
    }
    Ok(())
}

/// How messages name a trigger.
pub fn description(trigger: &str, table: &str) -> String {
    format!("trigger \"{trigger}\" on table \"{table}\"")
}

/// What a trigger reports; `None` if its function is not one of ours.
fn reported_action(trigger: &Trigger) -> Option<Action> {
    Action::from_function(&catalog::function_name(trigger.function())?)
}
