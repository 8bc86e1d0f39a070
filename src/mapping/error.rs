//! A trigger's arguments that make no mapping.

use std::fmt;

use crate::callback::Invalid;
use crate::callback::edit::CHANGES;
use crate::problem::{Class, Problem, Quoted, did_you_mean, list, one_of};

/// A trigger's arguments that make no mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MappingError {
    /// No `=`.
    NoEquals {
        /// The argument.
        argument: String,
    },
    /// A lone brace, or `{}`; `at` counts bytes from 1.
    BadBrace {
        /// The argument.
        argument: String,
        /// Where the brace stands.
        at: usize,
    },
    /// A parameter that the network does not have.
    UnknownParameter {
        /// Its name.
        parameter: String,
        /// Those that it has.
        known: &'static [&'static str],
    },
    /// A parameter that is set by two arguments.
    Twice {
        /// The second argument.
        argument: String,
    },
    /// A transaction id that would be the same for every row.
    ConstantTransactionId {
        /// The argument.
        argument: String,
    },
    /// A value that is the same for every row, and valid for none.
    Constant(Invalid),
    /// A required parameter that no argument sets.
    Missing {
        /// Its name.
        parameter: &'static str,
    },
    /// Two identifications of one transaction.
    Exclude {
        /// The first.
        one: &'static str,
        /// The other.
        other: &'static str,
    },
    /// An edit that changes nothing.
    NoChange,
    /// A parameter that the server's template asks for and no argument sets.
    TemplateWants {
        /// Its name.
        parameter: String,
        /// The option that holds the template.
        option: &'static str,
    },
    /// A placeholder for a column that the table does not have.
    UnknownColumn {
        /// The placeholder's name.
        column: String,
        /// The argument that has the placeholder.
        argument: String,
        /// The table.
        table: String,
        /// The table's columns.
        columns: Vec<String>,
    },
    /// A placeholder for a column that is generated when it is read.
    VirtualColumn {
        /// The column.
        column: String,
        /// The table.
        table: String,
    },
    /// No `click_id=`, and the table has no column of type `click_id`, or several.
    NoClickId {
        /// The table.
        table: String,
        /// Its columns of type `click_id`.
        columns: Vec<String>,
    },
}

impl fmt::Display for MappingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MappingError::NoEquals { argument }
            | MappingError::BadBrace { argument, .. }
            | MappingError::Twice { argument }
            | MappingError::ConstantTransactionId { argument } => {
                write!(f, "invalid trigger argument: {}", Quoted(argument))
            }
            MappingError::Constant(invalid) => invalid.fmt(f),
            MappingError::UnknownParameter { parameter, .. } => {
                write!(f, "unknown parameter: {}", Quoted(parameter))
            }
            MappingError::Missing { parameter } => write!(f, "parameter {parameter} is required"),
            MappingError::TemplateWants { parameter, .. } => {
                write!(f, "parameter {parameter} is required")
            }
            MappingError::Exclude { one, other } => {
                write!(f, "parameters {one} and {other} exclude each other")
            }
            MappingError::NoChange => {
                write!(f, "parameter {} is required", one_of(&CHANGES))
            }
            MappingError::UnknownColumn { column, table, .. } => {
                write!(
                    f,
                    "column {} of table {} does not exist",
                    Quoted(column),
                    Quoted(table)
                )
            }
            MappingError::VirtualColumn { column, table } => {
                write!(
                    f,
                    "column {} of table {} is a virtual generated column",
                    Quoted(column),
                    Quoted(table)
                )
            }
            MappingError::NoClickId { table, columns } => match columns.len() {
                0 => write!(
                    f,
                    "table {} has no column of type s2s.click_id",
                    Quoted(table)
                ),
                _ => write!(
                    f,
                    "table {} has several columns of type s2s.click_id",
                    Quoted(table)
                ),
            },
        }
    }
}

impl Problem for MappingError {
    fn class(&self) -> Class {
        match self {
            MappingError::UnknownColumn { .. } => Class::UndefinedColumn,
            MappingError::VirtualColumn { .. } | MappingError::NoClickId { .. } => {
                Class::InvalidDefinition
            }
            _ => Class::InvalidParameter,
        }
    }

    fn detail(&self) -> Option<String> {
        match self {
            MappingError::NoEquals { .. } => {
                Some("An argument after the server's name has the form parameter=text.".to_owned())
            }
            MappingError::BadBrace { at, .. } => Some(format!(
                "The brace at byte {at} does not belong to a placeholder."
            )),
            MappingError::Twice { .. } => {
                Some("Another argument sets the same parameter.".to_owned())
            }
            MappingError::ConstantTransactionId { .. } => {
                Some("Every row would have the same transaction id.".to_owned())
            }
            MappingError::Constant(invalid) => invalid.detail(),
            MappingError::Exclude { .. } => {
                Some("Each says which transaction is meant.".to_owned())
            }
            MappingError::NoChange => Some("Nothing would change.".to_owned()),
            MappingError::TemplateWants { option, .. } => Some(format!(
                "The server's option \"{option}\" has a placeholder for it."
            )),
            MappingError::UnknownColumn { argument, .. } => {
                Some(format!("It is named by the argument {}.", Quoted(argument)))
            }
            MappingError::VirtualColumn { .. } => {
                Some("Triggers do not see the values of such columns.".to_owned())
            }
            MappingError::NoClickId { columns, .. } if !columns.is_empty() => Some(format!(
                "They are {}.",
                list(columns.iter().map(String::as_str))
            )),
            _ => None,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            MappingError::NoEquals { .. } | MappingError::ConstantTransactionId { .. } => {
                "Write for example transaction_id={id}, where id is a column.".to_owned()
            }
            MappingError::BadBrace { .. } => {
                "Write {column} for a column's value, {{ or }} for a brace.".to_owned()
            }
            MappingError::Twice { .. } | MappingError::Exclude { .. } => return None,
            MappingError::Constant(invalid) => return invalid.hint(),
            MappingError::NoChange => "Add an argument such as approved=no.".to_owned(),
            MappingError::TemplateWants { parameter, .. } => {
                format!("Add an argument such as {parameter}={{column}}.")
            }
            MappingError::UnknownParameter { parameter, known } => {
                did_you_mean("parameters", parameter, known.iter().copied())
            }
            MappingError::Missing { parameter } => {
                format!("Add an argument such as {parameter}={{column}}.")
            }
            MappingError::UnknownColumn {
                column, columns, ..
            } => did_you_mean("columns", column, columns.iter().map(String::as_str)),
            MappingError::VirtualColumn { .. } => {
                "Make it a STORED generated column, or name the columns that it is made of."
                    .to_owned()
            }
            MappingError::NoClickId { .. } => {
                "Add an argument click_id={column} that says where the click id is.".to_owned()
            }
        })
    }
}
