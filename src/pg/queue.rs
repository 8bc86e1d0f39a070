//! The tables `s2s.queue` and `s2s.attempt`. Callbacks are inserted without SQL ([`insert`]).

use crate::pg::sys::{catalog, user};

mod insert;
mod statement;
mod table;

pub use insert::{BulkInsert, NewCallback, enqueue, force_sync_commit};
pub use statement::{enqueue_in_statement, gather_by_statement};

/// The names of all servers that callbacks are queued for: one step through the index each.
pub const QUEUED_SERVERS: &str = "
with recursive server(name) as (
    (select q.server from s2s.queue q order by q.server limit 1)
    union all
    select (select q.server from s2s.queue q where q.server > server.name order by q.server limit 1)
    from server where server.name is not null
)
select name from server where name is not null";

/// Due callbacks of the servers `$1`, those after the positions (`$2`, `$3`), the first `$4` of
/// each in the order in which they are due, without those that an earlier callback of their
/// transaction holds. Starting at a position, it does not pass what was delivered and is not
/// vacuumed yet. (`now()` can be looked up in the index, `clock_timestamp()` cannot. With `offset 0`
/// the subquery stays one: made a join while nothing was parked, it would look through all that
/// holds anything for each callback.)
pub const READ_DUE: &str = "
select due.id, due.server, due.action::text, due.transaction_id, due.click_id::text,
       due.parameters, due.created_at, due.due_at, due.attempts
from unnest($1::text[], $2::timestamptz[], $3::bigint[]) as after(server, due_at, id)
cross join lateral (
    select q.*
    from s2s.queue q
    where q.server = after.server
      and (q.due_at, q.id) > (after.due_at, after.id)
      and q.due_at <= pg_catalog.now()
      and not exists (
          select from s2s.queue e
          where e.server = q.server and e.action = q.action
            and e.transaction_id = q.transaction_id and e.id < q.id
            and (e.attempts > 0 or e.due_at = 'infinity')
          offset 0)
    order by q.due_at, q.id
    limit $4
) due";

/// When the next callback of the servers `$1` is due of those that are due later.
pub const NEXT_DUE: &str = "
select pg_catalog.min(later.due_at)
from unnest($1::text[]) as name(server)
cross join lateral (
    select q.due_at
    from s2s.queue q
    where q.server = name.server
      and q.due_at > pg_catalog.now() and q.due_at < 'infinity'
    order by q.due_at
    limit 1
) later";

/// The attempts that are to be recorded, as rows `outcome`.
macro_rules! outcomes {
    () => {
        "
with outcome as (
    -- Unqualified: only so does it take several arrays, and then it is always pg_catalog's.
    select * from unnest(
        $1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[],
        $8::integer[], $9::timestamptz[], $10::bigint[], $11::integer[], $12::text[], $13::text[],
        $14::text[], $15::bigint[], $16::timestamptz[])
    as o(callback_id, server, action, transaction_id, click_id, url, created_at,
         attempt, started_at, duration, http_status, verdict, message, response, pause, due_at)
)"
    };
}

/// Whether a callback `q` of the queue is that of an outcome `o`, where it was read.
macro_rules! is_as_read {
    () => {
        "q.server = o.server and q.due_at = o.due_at and q.id = o.callback_id"
    };
}

/// The same wherever it is now. A number alone may be another callback's: that of a sequence starts
/// anew with TRUNCATE … RESTART IDENTITY, and with the extension.
macro_rules! is_anywhere {
    () => {
        "q.server = o.server and q.id = o.callback_id and q.created_at = o.created_at"
    };
}

/// Locks the callbacks that are to be found by a condition, does what becomes of them, and lists the
/// `rest`. What somebody else has locked is left alone: while this waited, all servers would.
macro_rules! take {
    ($is_there:expr) => {
        concat!(
            ", taken as (
    select q.ctid as place, o.*
    from outcome o join s2s.queue q on ",
            $is_there,
            "
    for update of q skip locked
), gone as (
    delete from s2s.queue q using taken o
    where o.pause is null and q.ctid = o.place
    returning q.id
), later as (
    update s2s.queue q
    set due_at = case when o.pause < 0 then 'infinity'
                 else pg_catalog.clock_timestamp() + o.pause * interval '1 microsecond' end,
        attempts = o.attempt,
        last_error = o.message
    from taken o
    where o.pause is not null and q.ctid = o.place
    returning q.id
), rest as (
    -- As the statement began: one that was changed since then counts as locked.
    select o.callback_id,
           exists (select from s2s.queue q where ",
            $is_there,
            ") as is_locked
    from outcome o
    where o.callback_id not in (select gone.id from gone union all select later.id from later)
)"
        )
    };
}

/// Records the attempts of outcomes `o`, but for some callbacks.
macro_rules! record_all_but {
    ($callbacks:expr) => {
        concat!(
            ", recorded as (
    insert into s2s.attempt (callback_id, server, action, transaction_id, click_id, url, created_at,
                             attempt, started_at, duration, http_status, verdict, message, response)
    select o.callback_id, o.server, o.action::s2s.action, o.transaction_id, o.click_id::s2s.click_id,
           o.url, o.created_at, o.attempt, o.started_at, o.duration * interval '1 microsecond',
           o.http_status, o.verdict::s2s.verdict, o.message, o.response
    from outcome o
    where o.callback_id not in (",
            $callbacks,
            ")
)
"
        )
    };
}

/// Records attempts, each with what becomes of its callback, and returns the callbacks of which
/// nothing was recorded: somebody else has locked them (true), or they are not where they were
/// read, since somebody cancelled them or changed when they are due (false).
pub const RECORD: &str = concat!(
    outcomes!(),
    take!(is_as_read!()),
    record_all_but!("select r.callback_id from rest r"),
    "select r.callback_id, r.is_locked from rest r"
);

/// Records attempts whose callbacks are not where they were read, wherever these are now, and
/// returns those of which nothing was recorded: somebody else has locked them. One that somebody
/// cancelled stays gone.
pub const RECORD_MOVED: &str = concat!(
    outcomes!(),
    take!(is_anywhere!()),
    record_all_but!("select r.callback_id from rest r where r.is_locked"),
    "select r.callback_id from rest r where r.is_locked"
);

/// Attempts that are older than `$1` seconds, the oldest of each server first, up to 1000.
macro_rules! expired {
    ($column:expr, $lock:expr) => {
        concat!(
            "
    with recursive server(name) as (
        (select a.server from s2s.attempt a order by a.server limit 1)
        union all
        select (select a.server from s2s.attempt a where a.server > server.name
                order by a.server limit 1)
        from server where server.name is not null
    )
    select old.found from server
    cross join lateral (
        select ",
            $column,
            " as found from s2s.attempt a
        where a.server = server.name
          and a.started_at < pg_catalog.now() - $1 * interval '1 second'
        order by a.started_at
        limit 1000
        ",
            $lock,
            "
    ) old
    limit 1000"
        )
    };
}

/// Whether there are attempts that are older than `$1` seconds.
pub const ANY_EXPIRED: &str = concat!("select exists (", expired!("true", ""), ")");

/// Deletes attempts that are older than `$1` seconds, up to 1000, but none that is locked.
pub const EXPIRE: &str = concat!(
    "
delete from s2s.attempt
where ctid = any (array(",
    expired!("a.ctid", "for update skip locked"),
    "))"
);

/// Servers of our networks, with their options and the password: of the owner's user mapping, else
/// of PUBLIC's.
pub const SERVERS: &str = "
select s.oid, s.srvname::text, w.fdwname::text,
       array(select o.option_name from pg_catalog.pg_options_to_table(s.srvoptions) o),
       array(select o.option_value from pg_catalog.pg_options_to_table(s.srvoptions) o),
       (select o.option_value
        from pg_catalog.pg_user_mapping m
        cross join lateral pg_catalog.pg_options_to_table(m.umoptions) o
        where m.umserver = s.oid and m.umuser in (s.srvowner, 0) and o.option_name = 'password'
        order by m.umuser = 0
        limit 1)
from pg_catalog.pg_foreign_server s
join pg_catalog.pg_foreign_data_wrapper w on w.oid = s.srvfdw";

/// Whether transactions of this database are prepared.
pub const ANY_PREPARED: &str = "
select exists (
    select from pg_catalog.pg_prepared_xacts where database = pg_catalog.current_database())";

/// Runs `body`, which reads or changes the tables, with the rights of their owner. The caller
/// checks what the current user may do, and sets the search path.
pub fn as_owner<T>(body: impl FnOnce() -> T) -> T {
    user::run_as(
        catalog::relation_owner(catalog::relation_oid(c"queue")),
        body,
    )
}
