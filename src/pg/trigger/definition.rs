//! What a trigger says: its table, its timing, and its arguments as a mapping onto columns.

use std::ffi::CStr;

use pgrx::{PgTupleDesc, pg_sys};

use crate::callback::Action;
use crate::mapping::{Mapping, MappingError, Names};
use crate::network::NoSuchAction;
use crate::pg::queue;
use crate::pg::server::{self, ServerProblem};
use crate::problem::{Class, Problem};

/// What a trigger is compiled from: copied out of the relation cache.
pub struct Definition<'a> {
    /// The trigger.
    pub trigger: &'a pg_sys::Trigger,
    /// The table that it is on.
    pub table: pg_sys::Relation,
    /// What it reports.
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
    /// BEFORE, INSTEAD OF, DELETE, TRUNCATE or statement level.
    Timing(&'static str),
}

impl std::fmt::Display for TriggerProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            TriggerProblem::NoServer => f.write_str("the first argument must be a server"),
            TriggerProblem::Server(problem) => problem.fmt(f),
            TriggerProblem::NoSuchAction(problem) => problem.fmt(f),
            TriggerProblem::Mapping(problem) => problem.fmt(f),
            TriggerProblem::Timing(what) => write!(f, "{what} is not supported"),
        }
    }
}

impl TriggerProblem {
    fn inner(&self) -> Option<&dyn Problem> {
        match self {
            TriggerProblem::Server(problem) => Some(problem),
            TriggerProblem::NoSuchAction(problem) => Some(problem),
            TriggerProblem::Mapping(problem) => Some(problem),
            TriggerProblem::NoServer | TriggerProblem::Timing(_) => None,
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
                Some("Make it AFTER INSERT OR UPDATE … FOR EACH ROW.".to_owned())
            }
            _ => self.inner().and_then(Problem::hint),
        }
    }
}

impl Definition<'_> {
    /// Compiles the trigger and reports everything that is wrong with it.
    pub fn check(&self) -> Result<(), TriggerProblem> {
        if let Some(what) = self.wrong_timing() {
            return Err(TriggerProblem::Timing(what));
        }
        let arguments = self.arguments();
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

    /// Whether the mapping still fits the table: what a change of the table can break.
    pub fn check_columns(&self) -> Result<(), TriggerProblem> {
        match self.mapping(&self.arguments(), Names::ANY) {
            (_, Some(problem)) => Err(TriggerProblem::Mapping(problem)),
            (_, None) => Ok(()),
        }
    }

    /// What is wrong with when it fires, if anything is.
    pub fn wrong_timing(&self) -> Option<&'static str> {
        let kind = u32::from(self.trigger.tgtype as u16);
        let is = |bit: u32| kind & bit != 0;
        if is(pg_sys::TRIGGER_TYPE_BEFORE) {
            Some("a BEFORE trigger")
        } else if is(pg_sys::TRIGGER_TYPE_INSTEAD) {
            Some("an INSTEAD OF trigger")
        } else if is(pg_sys::TRIGGER_TYPE_DELETE) {
            Some("a DELETE trigger")
        } else if is(pg_sys::TRIGGER_TYPE_TRUNCATE) {
            Some("a TRUNCATE trigger")
        } else if !is(pg_sys::TRIGGER_TYPE_ROW) {
            Some("a FOR EACH STATEMENT trigger")
        } else {
            None
        }
    }

    #[allow(unsafe_code)]
    /// Its arguments, the server first.
    pub fn arguments(&self) -> Vec<String> {
        let count = usize::try_from(self.trigger.tgnargs).unwrap_or_default();
        (0..count)
            // SAFETY: PostgreSQL keeps so many NUL-terminated arguments with the trigger.
            .map(|place| unsafe { CStr::from_ptr(*self.trigger.tgargs.add(place)) })
            .map(|argument| argument.to_string_lossy().into_owned())
            .collect()
    }

    /// The mapping as far as it can be made, and what is wrong with it.
    pub fn mapping(&self, arguments: &[String], names: Names) -> (Mapping, Option<MappingError>) {
        let texts = arguments.iter().skip(1).map(String::as_str);
        let mut mapping = match Mapping::parse(texts, names) {
            Ok(mapping) => mapping,
            Err(problem) => return (Mapping::default(), Some(problem)),
        };
        let columns = self.columns();
        let names =
            |columns: &[&Column]| columns.iter().map(|column| column.name.clone()).collect();
        let table = self.table_name();
        let is_unknown = |name: &&str| !columns.iter().any(|column| column.name == *name);
        let unknown = mapping.columns().find(is_unknown).map(str::to_owned);
        if let Some(unknown) = unknown {
            let problem = MappingError::UnknownColumn {
                column: unknown,
                table,
                columns: names(&columns.iter().collect::<Vec<_>>()),
            };
            return (mapping, Some(problem));
        }
        if mapping.needs_click_id(self.action) {
            let click_id = queue::type_oid(c"click_id");
            let click_ids: Vec<_> = columns
                .iter()
                .filter(|column| column.type_oid == click_id)
                .collect();
            match click_ids.as_slice() {
                [one] => mapping.default_click_id(&one.name),
                // A voucher can credit without any click id.
                [] if mapping.sets("voucher_code") => {}
                found => {
                    let problem = MappingError::NoClickId {
                        table,
                        columns: names(found),
                    };
                    return (mapping, Some(problem));
                }
            }
        }
        (mapping, None)
    }

    #[allow(unsafe_code)]
    fn table_name(&self) -> String {
        // SAFETY: the relation is open.
        unsafe { name_text(&(*(*self.table).rd_rel).relname) }
    }

    /// The table's columns, less dropped ones.
    #[allow(unsafe_code)]
    pub fn columns(&self) -> Vec<Column> {
        // SAFETY: the relation is open.
        let descriptor = unsafe { PgTupleDesc::from_pg_copy((*self.table).rd_att) };
        descriptor
            .iter()
            .enumerate()
            .filter(|(_, attribute)| !attribute.attisdropped)
            .map(|(place, attribute)| Column {
                place,
                name: name_text(&attribute.attname),
                type_oid: attribute.atttypid,
            })
            .collect()
    }

    /// How messages name the trigger.
    pub fn place(&self) -> String {
        // SAFETY: trigger names are NUL-terminated.
        #[allow(unsafe_code)]
        let name = unsafe { CStr::from_ptr(self.trigger.tgname) }.to_string_lossy();
        format!("trigger \"{name}\" on table \"{}\"", self.table_name())
    }
}

/// A column as a mapping sees it.
pub struct Column {
    /// Its place in the row, from 0.
    pub place: usize,
    /// Its name.
    pub name: String,
    /// Its type.
    pub type_oid: pg_sys::Oid,
}

#[allow(unsafe_code)]
fn name_text(name: &pg_sys::NameData) -> String {
    // SAFETY: names in the catalogs are NUL-terminated.
    unsafe { CStr::from_ptr(name.data.as_ptr()) }
        .to_string_lossy()
        .into_owned()
}
