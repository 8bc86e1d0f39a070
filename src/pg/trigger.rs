//! Triggers: a row becomes a callback.
//!
//! A trigger's arguments are compiled once per session into a [`Plan`] and kept while the table's
//! definition and the servers stand: an invalidation of either drops it. The same compilation,
//! strict, checks a trigger when it is created (`ddl.rs`). When a row fires a trigger that could
//! not be compiled any more, the user's statement succeeds all the same, and a callback with what
//! is known of the row is parked with the reason.

use std::cell::{Cell, RefCell, UnsafeCell};
use std::collections::HashMap;
use std::ffi::CStr;
use std::rc::Rc;

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::{PgMemoryContexts, pg_sys};

use super::error::{PgResult, report_in};
use super::queue::{self, Entry};
use super::server::{self, ServerProblem};
use super::settings::{self, OnInvalidRow};
use crate::callback::edit::is_unidentified;
use crate::callback::{Action, Parameters, is_organic};
use crate::mapping::{MappingError, Names, Piece};
use crate::network::Server;
use crate::problem::Problem;

mod definition;

pub use definition::Definition;
use definition::TriggerProblem;

#[pg_extern(sql = "
create function s2s.report_lead() returns trigger
    language c as 'MODULE_PATHNAME', 'report_lead_trigger_wrapper';
")]
fn report_lead_trigger(fcinfo: pg_sys::FunctionCallInfo) -> PgResult<()> {
    fire(fcinfo, Action::Lead)
}

#[pg_extern(sql = "
create function s2s.report_sale() returns trigger
    language c as 'MODULE_PATHNAME', 'report_sale_trigger_wrapper';
")]
fn report_sale_trigger(fcinfo: pg_sys::FunctionCallInfo) -> PgResult<()> {
    fire(fcinfo, Action::Sale)
}

#[pg_extern(sql = "
create function s2s.edit_transaction() returns trigger
    language c as 'MODULE_PATHNAME', 'edit_transaction_trigger_wrapper';
")]
fn edit_transaction_trigger(fcinfo: pg_sys::FunctionCallInfo) -> PgResult<()> {
    fire(fcinfo, Action::Edit)
}

/// A trigger, compiled.
pub struct Plan {
    action: Action,
    /// The server's name, as the trigger's first argument says it.
    server_name: String,
    /// The server, unless it is gone or broken.
    server: Result<Server, ServerProblem>,
    parameters: Vec<(String, Vec<Part>)>,
    /// The click id alone says whether there is somebody to credit, or a transaction to edit.
    goes_by_click: bool,
    /// What is wrong with the mapping, if anything is.
    problem: Option<MappingError>,
    /// The table, for invalidation.
    table: pg_sys::Oid,
    /// Neither the table nor a server has changed since.
    valid: Cell<bool>,
    /// Holds what the output functions keep between calls.
    _memory: PgMemoryContexts,
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

impl Definition<'_> {
    /// Compiles the trigger as well as it can be.
    fn plan(&self) -> Plan {
        let arguments = self.arguments();
        let server_name = arguments.first().cloned().unwrap_or_default();
        let server = server::read(&server_name);
        let names = server
            .as_ref()
            .ok()
            .and_then(|server| server.names(self.action).ok())
            .unwrap_or(Names::ANY);
        let (mapping, problem) = self.mapping(&arguments, names);
        // It outlives the statement: a child of the top context, deleted with the plan.
        // SAFETY: creating a context is all that happens there.
        #[allow(unsafe_code)]
        let memory = unsafe {
            PgMemoryContexts::TopMemoryContext.switch_to(|_| PgMemoryContexts::new("s2s trigger"))
        };
        let columns = self.columns();
        let find = |name: &str| columns.iter().find(|column| column.name == name);
        let part = |piece: &Piece| match piece {
            Piece::Text(text) => Some(Part::Text(text.clone())),
            Piece::Column(name) => find(name).map(|column| Part::Column {
                place: column.place,
                output: OutputFunction::new(column.type_oid, &memory),
            }),
        };
        let parameters = mapping
            .parameters()
            .map(|(name, template)| {
                (
                    name.to_owned(),
                    template.pieces().iter().filter_map(part).collect(),
                )
            })
            .collect();
        Plan {
            action: self.action,
            server_name,
            server,
            goes_by_click: mapping.goes_by_click(self.action),
            parameters,
            problem,
            // SAFETY: the relation is open.
            #[allow(unsafe_code)]
            table: unsafe { (*self.table).rd_id },
            valid: Cell::new(true),
            _memory: memory,
        }
    }
}

/// A type's output function, looked up once. It keeps what it likes in its `FmgrInfo`.
struct OutputFunction(Box<UnsafeCell<pg_sys::FmgrInfo>>);

impl OutputFunction {
    /// Looks it up; what it keeps is in `memory`.
    #[allow(unsafe_code)]
    fn new(type_oid: pg_sys::Oid, memory: &PgMemoryContexts) -> OutputFunction {
        let output = OutputFunction(Box::default());
        let mut function = pg_sys::InvalidOid;
        let mut is_varlena = false;
        // SAFETY: catalog look-ups within a transaction; the FmgrInfo has an address of its own
        // and nobody else looks at it.
        unsafe {
            pg_sys::getTypeOutputInfo(type_oid, &mut function, &mut is_varlena);
            pg_sys::fmgr_info_cxt(function, output.0.get(), memory.value());
        }
        output
    }

    /// Appends a value as text.
    ///
    /// # Safety
    ///
    /// `value` is of the function's type.
    #[allow(unsafe_code)]
    unsafe fn append(&self, text: &mut String, value: pg_sys::Datum) {
        // SAFETY: as the caller says. It returns a NUL-terminated string in the current context.
        let output = unsafe { CStr::from_ptr(pg_sys::OutputFunctionCall(self.0.get(), value)) };
        text.push_str(&output.to_string_lossy());
    }
}

thread_local! {
    /// The session's plans, by trigger.
    static PLANS: RefCell<HashMap<pg_sys::Oid, Rc<Plan>>> = RefCell::new(HashMap::new());
    static WATCHING: Cell<bool> = const { Cell::new(false) };
    /// How often tables or servers changed: a plan that was compiled meanwhile is not kept.
    static CHANGES: Cell<u64> = const { Cell::new(0) };
}

/// The plan of a trigger, compiled if there is none that is valid.
fn plan_of(definition: &Definition) -> Rc<Plan> {
    let oid = definition.trigger.tgoid;
    let found = PLANS.with_borrow(|plans| plans.get(&oid).filter(|plan| plan.valid.get()).cloned());
    if let Some(plan) = found {
        return plan;
    }
    watch_catalogs();
    let changes = CHANGES.get();
    let plan = Rc::new(definition.plan());
    plan.valid.set(CHANGES.get() == changes);
    let old: Vec<Rc<Plan>> = PLANS.with_borrow_mut(|plans| {
        let old = plans
            .extract_if(|_, plan| !plan.valid.get())
            .map(|(_, plan)| plan)
            .collect();
        plans.insert(oid, plan.clone());
        old
    });
    // Dropping old plans frees memory of PostgreSQL's: not while the map is borrowed.
    drop(old);
    plan
}

#[allow(unsafe_code)]
fn watch_catalogs() {
    if WATCHING.replace(true) {
        return;
    }
    // SAFETY: the callbacks have the right forms and live as long as the process.
    unsafe {
        pg_sys::CacheRegisterRelcacheCallback(Some(table_changed), pg_sys::Datum::null());
        for cache in [
            pg_sys::SysCacheIdentifier::FOREIGNSERVEROID,
            pg_sys::SysCacheIdentifier::FOREIGNDATAWRAPPEROID,
        ] {
            pg_sys::CacheRegisterSyscacheCallback(
                cache as i32,
                Some(server_changed),
                pg_sys::Datum::null(),
            );
        }
    }
}

/// Invalidation may come in the midst of anything: it only marks.
#[allow(unsafe_code)]
unsafe extern "C-unwind" fn table_changed(_: pg_sys::Datum, table: pg_sys::Oid) {
    invalidate(|plan| table == pg_sys::InvalidOid || plan.table == table);
}

#[allow(unsafe_code)]
unsafe extern "C-unwind" fn server_changed(_: pg_sys::Datum, _: i32, _: u32) {
    invalidate(|_| true);
}

fn invalidate(concerns: impl Fn(&Plan) -> bool) {
    CHANGES.set(CHANGES.get() + 1);
    PLANS.with(|plans| {
        // The map is never borrowed across a call of PostgreSQL's, so it is free here.
        if let Ok(plans) = plans.try_borrow() {
            plans
                .values()
                .filter(|plan| concerns(plan))
                .for_each(|plan| plan.valid.set(false));
        }
    });
}

#[allow(unsafe_code)]
fn fire(fcinfo: pg_sys::FunctionCallInfo, action: Action) -> PgResult<()> {
    // SAFETY: PostgreSQL calls a trigger function with TriggerData as its context; that is
    // looked at only if it is one. All it points to is valid during the call.
    unsafe {
        let context = (*fcinfo).context;
        if context.is_null() || (*context).type_ != pg_sys::NodeTag::T_TriggerData {
            return Err(ErrorReport::new(
                PgSqlErrorCode::ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED,
                format!("{} was not called as a trigger", action.function()),
                "s2s",
            ));
        }
        let data = &*context.cast::<pg_sys::TriggerData>();
        let definition = Definition {
            trigger: &*data.tg_trigger,
            table: data.tg_relation,
            action,
        };
        if let Some(what) = definition.wrong_timing() {
            let place = definition.place();
            return Err(report_in(Some(&place), &TriggerProblem::Timing(what)));
        }
        if settings::enabled() && is_writable(&definition) {
            let is_update =
                data.tg_event & pg_sys::TRIGGER_EVENT_OPMASK == pg_sys::TRIGGER_EVENT_UPDATE;
            let tuple = if is_update {
                data.tg_newtuple
            } else {
                data.tg_trigtuple
            };
            let row = Row::new((*data.tg_relation).rd_att, tuple);
            plan_of(&definition).report(&row)?;
        }
    }
    Ok(())
}

/// Whether something can be queued. A read-only transaction can write to temporary tables, whose
/// rows then go unreported, with a warning.
#[allow(unsafe_code)]
fn is_writable(definition: &Definition) -> bool {
    // SAFETY: reads a variable.
    let is_read_only = unsafe { pg_sys::XactReadOnly };
    if is_read_only {
        warning!(
            "{}: nothing is queued in a read-only transaction",
            definition.place()
        );
    }
    !is_read_only
}

/// A row, taken apart.
struct Row {
    values: Vec<pg_sys::Datum>,
    nulls: Vec<bool>,
}

impl Row {
    /// # Safety
    ///
    /// `tuple` is a tuple of the table with this descriptor and outlives the row.
    #[allow(unsafe_code)]
    unsafe fn new(descriptor: pg_sys::TupleDesc, tuple: pg_sys::HeapTuple) -> Row {
        // SAFETY: as the caller says; the arrays have a place for each attribute.
        unsafe {
            let count = (*descriptor).natts as usize;
            let mut row = Row {
                values: vec![pg_sys::Datum::null(); count],
                nulls: vec![true; count],
            };
            pg_sys::heap_deform_tuple(
                tuple,
                descriptor,
                row.values.as_mut_ptr(),
                row.nulls.as_mut_ptr(),
            );
            row
        }
    }

    /// Appends a column's value as text; nothing for NULL.
    #[allow(unsafe_code)]
    fn append(&self, text: &mut String, place: usize, output: &OutputFunction) {
        if !self.nulls[place] {
            // SAFETY: the output function is that of the column's type.
            unsafe { output.append(text, self.values[place]) }
        }
    }
}

impl Plan {
    fn said(&self, row: &Row) -> Parameters<'_> {
        self.parameters
            .iter()
            .map(|(name, parts)| {
                let mut text = String::new();
                for part in parts {
                    match part {
                        Part::Text(literal) => text.push_str(literal),
                        Part::Column { place, output } => row.append(&mut text, *place, output),
                    }
                }
                (name.as_str(), text)
            })
            .collect()
    }

    /// An organic customer, or an edit of a transaction that no network knows.
    fn is_nobody(&self, said: &Parameters) -> bool {
        match self.action {
            Action::Lead | Action::Sale => is_organic(said),
            Action::Edit => is_unidentified(said),
        }
    }

    /// Queues what the row has to say.
    fn report(&self, row: &Row) -> PgResult<()> {
        let said = self.said(row);
        let problem: Option<Box<dyn Problem>> = match (&self.server, &self.problem) {
            (Err(problem), _) => Some(Box::new(problem.clone())),
            (Ok(_), Some(problem)) => Some(Box::new(problem.clone())),
            (Ok(_), None) if self.goes_by_click && self.is_nobody(&said) => return Ok(()),
            (Ok(server), None) => match server.url(self.action, &said) {
                Ok(_) => None,
                Err(problem) => Some(Box::new(problem)),
            },
        };
        let entry = Entry {
            server: &self.server_name,
            action: self.action,
            said: &said,
            problem: None,
        };
        match problem {
            None => {
                queue::enqueue(&entry);
            }
            Some(problem) if settings::on_invalid_row() == OnInvalidRow::Error => {
                return Err(report_in(None, problem.as_ref()));
            }
            Some(problem) => {
                let reason = problem.one_line();
                let id = queue::enqueue(&Entry {
                    problem: Some(&reason),
                    ..entry
                });
                log!(
                    "s2s: callback {id} for server \"{}\" is parked: {reason}",
                    self.server_name
                );
            }
        }
        Ok(())
    }
}
