//! What a trigger says: its table, its timing, and its arguments as a mapping onto columns.

use std::ffi::CStr;

use pgrx::{PgTupleDesc, pg_sys};

use crate::callback::Action;
use crate::mapping::{Mapping, ParameterNames};
use crate::pg::queue;
use crate::pg::server;
use crate::pg::trigger::earlier;
use crate::problem::{Class, Problem, Quoted, did_you_mean, list};

/// What a trigger is compiled from: copied out of the relation cache.
pub struct Definition<'a> {
    /// The trigger.
    pub trigger: &'a pg_sys::Trigger,
    /// The table that it is on.
    pub table: pg_sys::Relation,
    /// What it reports.
    pub action: Action,
}

impl Definition<'_> {
    /// Calls `with` with the first trigger of ours on a table that `is_it` picks.
    #[allow(unsafe_code)]
    pub fn find<R>(
        table: pg_sys::Oid,
        is_it: impl Fn(&pg_sys::Trigger) -> bool,
        with: impl FnOnce(Option<Definition>) -> R,
    ) -> R {
        // SAFETY: the relation is open while its triggers are looked at; PostgreSQL keeps so many
        // triggers in its cache.
        unsafe {
            let relation = pg_sys::try_relation_open(table, pg_sys::AccessShareLock as i32);
            if relation.is_null() {
                return with(None);
            }
            // A copy: PostgreSQL frees its own when the table changes, as it may under this lock.
            let triggers = pg_sys::CopyTriggerDesc((*relation).trigdesc).as_ref();
            let all = triggers.map_or(&[][..], |triggers| {
                std::slice::from_raw_parts(triggers.triggers, triggers.numtriggers as usize)
            });
            let found = all
                .iter()
                .filter(|trigger| is_it(trigger))
                .find_map(|trigger| {
                    Some(Definition {
                        trigger,
                        table: relation,
                        action: action_of(trigger.tgfoid)?,
                    })
                });
            let result = with(found);
            pg_sys::relation_close(relation, pg_sys::AccessShareLock as i32);
            result
        }
    }

    /// Compiles the trigger and reports everything that is wrong with it.
    pub fn check(&self) -> Result<(), Problem> {
        self.check_timing()?;
        let arguments = self.arguments();
        let server = match arguments.first() {
            Some(name) if !name.is_empty() => server::find(Some(name))?,
            _ => {
                let message = "the first argument must be a server";
                return Err(Problem::new(Class::InvalidDefinition, message)
                    .hint("Write for example report_lead('server', 'transaction_id={id}')."));
            }
        };
        let names = server.parameter_names(self.action)?;
        match self.mapping(&arguments, names) {
            (_, Some(problem)) => Err(problem),
            (mapping, None) => server.check_mapping(self.action, &mapping),
        }
    }

    /// Whether the mapping still fits the table: what a change of the table can break.
    pub fn check_columns(&self) -> Result<(), Problem> {
        match self.mapping(&self.arguments(), ParameterNames::ANY) {
            (_, Some(problem)) => Err(problem),
            (_, None) => Ok(()),
        }
    }

    /// Whether the mapping fitted the table as it was before the current command.
    pub fn fitted_earlier(&self) -> bool {
        let columns = earlier::columns(self.table_oid());
        let (_, problem) = self.mapping_onto(columns, &self.arguments(), ParameterNames::ANY);
        problem.is_none()
    }

    /// Refuses what it cannot be fired by.
    pub fn check_timing(&self) -> Result<(), Problem> {
        let not_supported = |what| {
            let message = format!("{what} is not supported");
            Problem::new(Class::InvalidDefinition, message)
                .hint("Make it AFTER INSERT OR UPDATE on a table.")
        };
        if self.kind() == pg_sys::RELKIND_VIEW {
            return Err(not_supported("a trigger on a view"));
        }
        let unsupported = [
            (pg_sys::TRIGGER_TYPE_BEFORE, "a BEFORE trigger"),
            (pg_sys::TRIGGER_TYPE_INSTEAD, "an INSTEAD OF trigger"),
            (pg_sys::TRIGGER_TYPE_DELETE, "a DELETE trigger"),
            (pg_sys::TRIGGER_TYPE_TRUNCATE, "a TRUNCATE trigger"),
        ];
        if let Some((_, what)) = unsupported.into_iter().find(|(bit, _)| self.has(*bit)) {
            return Err(not_supported(what));
        }
        match self.has(pg_sys::TRIGGER_TYPE_ROW) || !self.trigger.tgnewtable.is_null() {
            true => Ok(()),
            false => Err(Problem::new(
                Class::InvalidDefinition,
                "a FOR EACH STATEMENT trigger needs a transition table",
            )
            .hint("Write AFTER INSERT ON … REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT, and another trigger for UPDATE.")),
        }
    }

    /// Its arguments, the server first.
    #[allow(unsafe_code)]
    pub fn arguments(&self) -> Vec<String> {
        let count = usize::try_from(self.trigger.tgnargs).unwrap_or_default();
        (0..count)
            // SAFETY: PostgreSQL keeps so many NUL-terminated arguments with the trigger.
            .map(|place| unsafe { CStr::from_ptr(*self.trigger.tgargs.add(place)) })
            .map(|argument| argument.to_string_lossy().into_owned())
            .collect()
    }

    /// The mapping as far as it can be made, and what is wrong with it.
    pub fn mapping(
        &self,
        arguments: &[String],
        names: ParameterNames,
    ) -> (Mapping, Option<Problem>) {
        self.mapping_onto(self.columns(), arguments, names)
    }

    fn mapping_onto(
        &self,
        columns: Vec<Column>,
        arguments: &[String],
        names: ParameterNames,
    ) -> (Mapping, Option<Problem>) {
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

    /// Takes the click id from the only column of that type, if no argument says where it is.
    fn find_click_id(&self, mapping: &mut Mapping, columns: &[Column]) -> Result<(), Problem> {
        if !mapping.needs_click_id(self.action) {
            return Ok(());
        }
        let click_id = queue::type_oid(c"click_id");
        let click_ids: Vec<_> = columns
            .iter()
            .filter(|column| column.base_type() == click_id)
            .map(|column| column.name.clone())
            .collect();
        match click_ids.as_slice() {
            [one] => mapping.default_click_id(one),
            // A voucher can credit without any click id.
            [] if mapping.provides("voucher_code") => {}
            _ => {
                mapping.leave_out_click_id();
                let table = self.table_name();
                let table = Quoted(&table);
                let message = match click_ids.is_empty() {
                    true => format!("table {table} has no column of type s2s.click_id"),
                    false => format!("table {table} has several columns of type s2s.click_id"),
                };
                let mut problem = Problem::new(Class::InvalidDefinition, message)
                    .hint("Add an argument click_id={column} that says where the click id is.");
                if !click_ids.is_empty() {
                    let names = list(click_ids.iter().map(String::as_str));
                    problem = problem.detail(format!("They are {names}."));
                }
                return Err(problem);
            }
        }
        Ok(())
    }

    /// A placeholder for a column that is not there, or has no value yet when a trigger fires.
    fn unreadable_column(&self, mapping: &Mapping, columns: &[Column]) -> Option<Problem> {
        let table = self.table_name();
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

    /// The table's OID.
    #[allow(unsafe_code)]
    pub fn table_oid(&self) -> pg_sys::Oid {
        // SAFETY: the relation is open.
        unsafe { (*self.table).rd_id }
    }

    /// Whether the trigger has a bit of `pg_trigger.tgtype`.
    fn has(&self, bit: u32) -> bool {
        u32::from(self.trigger.tgtype as u16) & bit != 0
    }

    /// Whether it fires for rows of the table's children. A row trigger of a partitioned table does;
    /// other children have row triggers of their own. A transition table has their rows, too, if the
    /// statement comes to them: an update does, an insert does not.
    pub fn reports_children(&self) -> bool {
        let is_row = self.has(pg_sys::TRIGGER_TYPE_ROW);
        self.is_partitioned() || (self.has(pg_sys::TRIGGER_TYPE_UPDATE) && !is_row)
    }

    /// The table's owner.
    #[allow(unsafe_code)]
    pub fn owner(&self) -> pg_sys::Oid {
        // SAFETY: the relation is open.
        unsafe { (*(*self.table).rd_rel).relowner }
    }

    /// Whether the table is temporary.
    #[allow(unsafe_code)]
    pub fn is_temporary(&self) -> bool {
        // SAFETY: the relation is open.
        unsafe { (*(*self.table).rd_rel).relpersistence as u8 == pg_sys::RELPERSISTENCE_TEMP }
    }

    /// The table's name, without its schema's.
    #[allow(unsafe_code)]
    pub fn table_name(&self) -> String {
        // SAFETY: the relation is open.
        unsafe { name_text(&(*(*self.table).rd_rel).relname) }
    }

    /// The name of the table's schema.
    #[allow(unsafe_code)]
    pub fn schema_name(&self) -> String {
        // SAFETY: the relation is open; its schema is there as long as it is.
        unsafe {
            let name = pg_sys::get_namespace_name((*(*self.table).rd_rel).relnamespace);
            CStr::from_ptr(name).to_string_lossy().into_owned()
        }
    }

    /// Whether the table is partitioned.
    fn is_partitioned(&self) -> bool {
        self.kind() == pg_sys::RELKIND_PARTITIONED_TABLE
    }

    /// `pg_class.relkind`
    #[allow(unsafe_code)]
    fn kind(&self) -> u8 {
        // SAFETY: the relation is open.
        unsafe { (*(*self.table).rd_rel).relkind as u8 }
    }

    /// An empty slot for rows of the table, in the current memory context.
    #[allow(unsafe_code)]
    pub fn new_slot(&self) -> *mut pg_sys::TupleTableSlot {
        // SAFETY: the relation is open; the copy of its descriptor lives as long as the slot.
        unsafe {
            let descriptor = pg_sys::CreateTupleDescCopy((*self.table).rd_att);
            pg_sys::MakeSingleTupleTableSlot(descriptor, &pg_sys::TTSOpsVirtual)
        }
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
            .map(|(place, attribute)| Column::new(place, attribute))
            .collect()
    }

    /// The trigger's name.
    #[allow(unsafe_code)]
    pub fn name(&self) -> String {
        // SAFETY: trigger names are NUL-terminated.
        unsafe { CStr::from_ptr(self.trigger.tgname) }
            .to_string_lossy()
            .into_owned()
    }

    /// How messages name the trigger.
    pub fn place(&self) -> String {
        place(&self.name(), &self.table_name())
    }
}

/// How messages name a trigger.
pub fn place(trigger: &str, table: &str) -> String {
    format!("trigger \"{trigger}\" on table \"{table}\"")
}

/// A column as a mapping sees it.
pub struct Column {
    /// Its place in the row, from 0.
    pub place: usize,
    /// Its name.
    pub name: String,
    /// Its type.
    pub type_oid: pg_sys::Oid,
    /// It is generated when it is read: a trigger does not see its value.
    is_virtual: bool,
}

/// `pg_attribute.attgenerated` of such a column, from PostgreSQL 18 on.
const VIRTUAL: u8 = b'v';

/// What a trigger function reports, if it is one of ours.
#[allow(unsafe_code)]
fn action_of(function: pg_sys::Oid) -> Option<Action> {
    // SAFETY: catalog look-ups within a transaction; the name is NUL-terminated.
    let name = unsafe {
        let ours = pg_sys::get_namespace_oid(c"s2s".as_ptr(), true);
        let name = pg_sys::get_func_name(function);
        if name.is_null() || pg_sys::get_func_namespace(function) != ours {
            return None;
        }
        CStr::from_ptr(name)
    };
    Action::from_function(name.to_str().ok()?)
}

impl Column {
    /// The column of a row of `pg_attribute`, at `place` from 0.
    pub(super) fn new(place: usize, attribute: &pg_sys::FormData_pg_attribute) -> Column {
        Column {
            place,
            name: name_text(&attribute.attname),
            type_oid: attribute.atttypid,
            is_virtual: attribute.attgenerated as u8 == VIRTUAL,
        }
    }

    /// Its type, or what that is a domain over. A column that is gone may have lost its type, too.
    #[allow(unsafe_code)]
    fn base_type(&self) -> pg_sys::Oid {
        // SAFETY: catalog look-ups within a transaction; a type that there is not would be an error.
        unsafe {
            let exists = pg_sys::SearchSysCacheExists(
                pg_sys::SysCacheIdentifier::TYPEOID as i32,
                pg_sys::Datum::from(self.type_oid),
                pg_sys::Datum::null(),
                pg_sys::Datum::null(),
                pg_sys::Datum::null(),
            );
            match exists {
                true => pg_sys::getBaseType(self.type_oid),
                false => self.type_oid,
            }
        }
    }
}

#[allow(unsafe_code)]
fn name_text(name: &pg_sys::NameData) -> String {
    // SAFETY: names in the catalogs are NUL-terminated.
    unsafe { CStr::from_ptr(name.data.as_ptr()) }
        .to_string_lossy()
        .into_owned()
}
