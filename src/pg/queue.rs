//! The queue. [`insert`] puts callbacks into it without SQL; the worker reads them by [`read`], and
//! records attempts by [`record`], with the statements of `sql/runtime`. The other SQL that runs
//! from Rust stands here.

use std::ffi::CStr;

use pgrx::pg_sys;

pub mod insert;
pub mod read;
pub mod record;
mod statement;
mod target;

pub use insert::{Bulk, Entry, enqueue, force_sync_commit};
pub use statement::{enqueue_in_statement, watch_statements};
use target::Target;

/// Makes a callback due, as if it had never been tried: again it stands before the later ones of
/// its transaction.
pub const RETRY: &str = "
update s2s.queue set due_at = created_at, attempts = 0, last_error = null
where id = $1";

/// The same for all parked callbacks, of one server (`$1`) or of all.
pub const RETRY_PARKED: &str = "
update s2s.queue set due_at = created_at, attempts = 0, last_error = null
where due_at = 'infinity' and ($1 is null or server = $1)";

/// Drops a callback, on record.
pub const CANCEL: &str = "
with gone as (delete from s2s.queue where id = $1 returning *)
insert into s2s.attempt (callback_id, server, action, transaction_id, click_id, created_at, attempt,
                         started_at, duration, verdict, message)
select id, server, action, transaction_id, click_id, created_at, attempts,
       pg_catalog.clock_timestamp(), '0', 'cancelled', 'cancelled by ' || $2
from gone";

/// One callback that is queued.
pub const CALLBACK: &str = "
select q.id, q.server, q.action::text, q.transaction_id, q.click_id::text,
       q.parameters, q.created_at, q.due_at, q.attempts
from s2s.queue q where q.id = $1";

/// The edits queued for the server `$1`, parked ones too, in the order of queueing.
pub const EDITS: &str = "
select q.id, q.server, q.action::text, q.transaction_id, q.click_id::text,
       q.parameters, q.created_at, q.due_at, q.attempts
from s2s.queue q
where q.server = $1 and q.action = 'edit'
order by q.id";

/// Whether anything is due that is not parked: what there is to wait for without a worker.
pub const ANY_DUE: &str = "select exists (select from s2s.queue where due_at <= pg_catalog.now())";

/// Whether the current user may read the attempts.
pub const MAY_READ_ATTEMPTS: &str =
    "select pg_catalog.has_table_privilege('s2s.attempt', 'select')";

/// Why the last attempt that was not delivered was not.
pub const LAST_ERROR: &str = "
select a.message from s2s.attempt a
where a.verdict in ('retry', 'failed')
order by a.id desc
limit 1";

/// Whether a trigger `t` is one of ours: it calls a function `p` of ours.
macro_rules! is_ours {
    () => {
        "exists (
    select from pg_catalog.pg_proc p
    join pg_catalog.pg_namespace n on n.oid = p.pronamespace
    where p.oid = t.tgfoid and n.nspname = 's2s'
      and p.proname in ('report_lead', 'report_sale', 'edit_transaction'))"
    };
}

/// Whether a trigger `t` is not the copy that a partition has of its parent's, which stands for it,
/// unless that is disabled: then the copy fires all the same.
macro_rules! stands_for_itself {
    () => {
        "not exists (
    select from pg_catalog.pg_trigger parent
    where parent.oid = t.tgparentid and parent.tgenabled <> 'D')"
    };
}

/// Triggers made by the current command that call our functions, with the tables they are on.
pub const TRIGGERS_MADE: &str = concat!(
    "
select t.oid, t.tgrelid
from pg_catalog.pg_event_trigger_ddl_commands() c
join pg_catalog.pg_trigger t on t.oid = c.objid
where c.classid = 'pg_catalog.pg_trigger'::pg_catalog.regclass and ",
    is_ours!(),
    "
order by t.oid"
);

/// The tables that the current command changed.
macro_rules! changed_tables {
    () => {
        "
    select c.objid from pg_catalog.pg_event_trigger_ddl_commands() c
    where c.classid = 'pg_catalog.pg_class'::pg_catalog.regclass"
    };
}

/// Triggers on some tables, and these.
macro_rules! triggers_on {
    ($tables:expr) => {
        concat!(
            "
select t.oid, t.tgrelid
from pg_catalog.pg_trigger t
where t.tgrelid in (",
            $tables,
            ")
  and ",
            stands_for_itself!(),
            " and ",
            is_ours!(),
            "
order by t.oid"
        )
    };
}

/// Triggers on the tables that the current command changed, and these.
pub const TRIGGERS_OF_TABLES: &str = triggers_on!(changed_tables!());

/// The same with the tables that have their columns from those: partitions, children, and tables
/// of a composite type. (It goes up from the triggers: a table can have thousands of partitions,
/// and the way up is in an index.)
pub const TRIGGERS_OF_TABLES_AND_BELOW: &str = concat!(
    "
with recursive source(trigger, on_table, oid) as (
    select t.oid, t.tgrelid, t.tgrelid
    from pg_catalog.pg_trigger t
    where ",
    stands_for_itself!(),
    " and ",
    is_ours!(),
    "
    union
    select source.trigger, source.on_table, above.oid
    from source
    cross join lateral (
        select i.inhparent from pg_catalog.pg_inherits i where i.inhrelid = source.oid
        union all
        select composite.typrelid
        from pg_catalog.pg_class typed
        join pg_catalog.pg_type composite on composite.oid = typed.reloftype
        where typed.oid = source.oid
    ) above(oid)
)
select distinct trigger, on_table
from source
where oid in (",
    changed_tables!(),
    ")
order by trigger"
);

/// Triggers on tables that lost a column to the current command.
pub const TRIGGERS_OF_DROPPED_COLUMNS: &str = triggers_on!(
    "
    select d.objid from pg_catalog.pg_event_trigger_dropped_objects() d
    where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.objsubid > 0"
);

/// Triggers `t` of ours, not the copies that partitions have, on tables `c`, with the server that
/// each names. (The database's encoding is UTF8, and arguments are kept with a zero byte after
/// each.)
macro_rules! from_triggers_with_server {
    () => {
        concat!("from pg_catalog.pg_trigger t
join pg_catalog.pg_proc f on f.oid = t.tgfoid
join pg_catalog.pg_class c on c.oid = t.tgrelid
cross join lateral (
    select pg_catalog.convert_from(
        pg_catalog.substring(t.tgargs, 1, pg_catalog.position(t.tgargs, pg_catalog.decode('00', 'hex')) - 1), 'UTF8')
) named(server)
where t.tgparentid = 0 and t.tgnargs > 0 and ",
            is_ours!()
        )
    };
}

/// Triggers that name a server that does not exist: name, table, server.
pub const TRIGGERS_WITHOUT_SERVER: &str = concat!(
    "
select t.tgname::text, c.relname::text, named.server
",
    from_triggers_with_server!(),
    "
  and not exists (select from pg_catalog.pg_foreign_server s where s.srvname = named.server)
order by t.oid"
);

/// Triggers that name the server that the current command changed: name, table, server, function,
/// arguments.
pub const TRIGGERS_OF_SERVER: &str = concat!(
    "
select t.tgname::text, c.relname::text, named.server, f.proname::text, t.tgargs
",
    from_triggers_with_server!(),
    "
  and named.server in (
      select s.srvname from pg_catalog.pg_event_trigger_ddl_commands() d
      join pg_catalog.pg_foreign_server s on s.oid = d.objid
      where d.classid = 'pg_catalog.pg_foreign_server'::pg_catalog.regclass)
order by t.oid"
);

/// The names of all servers, each with its wrapper's. It may run with its caller's search path, in
/// which somebody's own operators may come first.
pub const SERVER_NAMES: &str = "
select s.srvname::pg_catalog.text, w.fdwname::pg_catalog.text
from pg_catalog.pg_foreign_server s
join pg_catalog.pg_foreign_data_wrapper w on w.oid operator(pg_catalog.=) s.srvfdw";

/// Whether the extension is in this database, with its tables.
#[allow(unsafe_code)]
pub fn exists() -> bool {
    const NAME: &CStr = c"pgrx-ext";
    // SAFETY: catalog look-ups within a transaction.
    unsafe {
        let schema = pg_sys::get_namespace_oid(c"s2s".as_ptr(), true);
        pg_sys::get_extension_oid(NAME.as_ptr(), true) != pg_sys::InvalidOid
            && schema != pg_sys::InvalidOid
            && pg_sys::get_relname_relid(c"queue".as_ptr(), schema) != pg_sys::InvalidOid
    }
}

/// Rows of a table, each with the table that it is in, the first `$1`. It calls no function of
/// whoever owns the table.
pub fn preview_rows(schema: &str, table: &str, with_children: bool) -> String {
    let table = pgrx::spi::quote_qualified_identifier(schema, table);
    let only = if with_children { "" } else { "only " };
    format!("select r.tableoid, r.* from {only}{table} as r limit $1")
}

/// The OID of a type in the schema `s2s`.
#[allow(unsafe_code)]
pub fn type_oid(name: &CStr) -> pg_sys::Oid {
    // SAFETY: catalog look-ups within a transaction.
    unsafe {
        let schema = pg_sys::get_namespace_oid(c"s2s".as_ptr(), true);
        pg_sys::GetSysCacheOid(
            pg_sys::SysCacheIdentifier::TYPENAMENSP as i32,
            pg_sys::Anum_pg_type_oid as pg_sys::AttrNumber,
            pg_sys::Datum::from(name.as_ptr()),
            pg_sys::Datum::from(schema),
            pg_sys::Datum::null(),
            pg_sys::Datum::null(),
        )
    }
}

/// Runs `body`, which reads the queue, with the rights of the queue's owner. The caller checks
/// what the current user may see, and fixes the search path.
#[allow(unsafe_code)]
pub fn as_owner<T>(body: impl FnOnce() -> T) -> T {
    // SAFETY: the table is open while its owner is read. An error in `body` ends the transaction
    // or subtransaction, whose end restores the user; if there is none it is restored here.
    unsafe {
        let queue = pg_sys::table_open(Target::current().table(), pg_sys::AccessShareLock as i32);
        let owner = (*(*queue).rd_rel).relowner;
        pg_sys::table_close(queue, pg_sys::NoLock as i32);
        let (mut user, mut context) = (pg_sys::InvalidOid, 0);
        pg_sys::GetUserIdAndSecContext(&mut user, &mut context);
        let switched = context | pg_sys::SECURITY_LOCAL_USERID_CHANGE as i32;
        pg_sys::SetUserIdAndSecContext(owner, switched);
        let value = body();
        pg_sys::SetUserIdAndSecContext(user, context);
        value
    }
}
