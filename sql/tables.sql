-- What is owed and what became of it.

create table s2s.queue (
    id bigint generated always as identity,
    server text collate "C" not null,
    action s2s.action not null,
    transaction_id text collate "C" not null,
    click_id s2s.click_id,
    parameters jsonb not null,
    created_at timestamptz not null default pg_catalog.now(),
    due_at timestamptz not null default pg_catalog.clock_timestamp(),
    attempts integer not null default 0,
    last_error text,
    -- One index serves reading, recording and identity, since every index slows whoever inserts. The
    -- worker reads each server's callbacks in the order in which they are due, so that one server's
    -- backlog does not hide another's. `id` alone is unique, too.
    constraint queue_pkey primary key (server, due_at, id),
    constraint attempts_is_not_negative check (attempts >= 0),
    constraint parameters_is_an_object check (pg_catalog.jsonb_typeof(parameters) = 'object')
)
-- Callbacks are inserted without SQL, whatever default_table_access_method is.
using heap;

-- The rule that keeps a transaction id's callbacks in order: one that was tried and is still queued,
-- or is parked, holds the later ones. Plain expressions, so that the planner inlines them and uses
-- the index.
create function s2s.is_holding(attempts integer, due_at timestamptz) returns boolean
    language sql immutable parallel safe
    return attempts > 0 or due_at = 'infinity';
create function s2s.holds(holder s2s.queue, later s2s.queue) returns boolean
    language sql immutable parallel safe
    return holder.server = later.server and holder.action = later.action
        and holder.transaction_id = later.transaction_id and holder.id < later.id
        and s2s.is_holding(holder.attempts, holder.due_at);

create index queue_holding on s2s.queue (server, action, transaction_id, id)
    where s2s.is_holding(attempts, due_at);

create table s2s.attempt (
    id bigint generated always as identity,
    callback_id bigint not null,
    server text collate "C" not null,
    action s2s.action not null,
    transaction_id text collate "C" not null,
    click_id s2s.click_id,
    url text,
    created_at timestamptz not null,
    attempt integer not null,
    started_at timestamptz not null,
    duration interval not null,
    http_status integer,
    verdict s2s.verdict not null,
    message text not null,
    response text,
    constraint attempt_pkey primary key (id)
);

create index attempt_callback on s2s.attempt (callback_id, id);
create index attempt_transaction on s2s.attempt (transaction_id);
create index attempt_server on s2s.attempt (server, started_at);

-- Rows come and go: look for dead ones early, and before they are many.
alter table s2s.queue set (
    autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 1000,
    autovacuum_analyze_scale_factor = 0.0, autovacuum_analyze_threshold = 5000,
    autovacuum_vacuum_cost_delay = 0
);
alter table s2s.attempt set (
    autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.05
);

-- A dump keeps what is owed and what was done.
select pg_catalog.pg_extension_config_dump('s2s.queue', '');
select pg_catalog.pg_extension_config_dump('s2s.queue_id_seq', '');
select pg_catalog.pg_extension_config_dump('s2s.attempt', '');
select pg_catalog.pg_extension_config_dump('s2s.attempt_id_seq', '');
