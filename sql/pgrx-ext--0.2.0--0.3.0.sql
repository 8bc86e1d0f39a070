-- From 0.2.0 to 0.3.0: everything that a fresh 0.3.0 has and 0.2.0 had not, in the same words.
-- What users and their tables may depend on is replaced where it stands, never dropped.

-- What is queued for a server that is dropped is marked.
alter table s2s.queue
    add column server_dropped_at timestamptz,
    add constraint callbacks_of_dropped_servers_are_parked
        check (server_dropped_at is null or due_at = 'infinity');
comment on column s2s.queue.server_dropped_at is 'when its server was dropped: it is for no server that has the name now, until the owner of the queue says so; else NULL';

-- The rule that keeps the callbacks of a transaction id in order has a name; what was never sent holds none,
-- nor does what is left of a dropped server.
create view s2s.holding as
select server, action, transaction_id, id
from s2s.queue
where attempts > 0 and server_dropped_at is null;

comment on view s2s.holding is 'callbacks that hold the later ones of the same server, action and transaction id: they were sent, and are retried or parked';
comment on column s2s.holding.server is 'the foreign server';
comment on column s2s.holding.action is 'what is reported';
comment on column s2s.holding.transaction_id is 'transaction id of the conversion at the network';
comment on column s2s.holding.id is 'number of the callback';

drop index s2s.queue_holding;
create index queue_holding on s2s.queue (server, action, transaction_id, id)
    where attempts > 0 and server_dropped_at is null;

create or replace view s2s.server_status as
select s.srvname::text as server,
       w.fdwname::text as network,
       case
           when exists (
               select from pg_catalog.pg_options_to_table(s.srvoptions) o
               where o.option_name = 'paused' and o.option_value::boolean
           ) then 'paused'
           when occupation.is_broken then 'broken'
           else 'active'
       end as state,
       queued.waiting,
       queued.parked,
       queued.oldest_waiting,
       coalesce(occupation.in_flight, 0) as in_flight,
       lately.delivered_last_hour,
       lately.failed_last_hour,
       lately.median_duration,
       lately.p99_duration
from pg_catalog.pg_foreign_server s
join pg_catalog.pg_foreign_data_wrapper w on w.oid = s.srvfdw
join pg_catalog.pg_proc validator on validator.oid = w.fdwvalidator
    and validator.pronamespace = 's2s'::pg_catalog.regnamespace
left join s2s.server_occupation() occupation on occupation.server = s.oid
cross join lateral (
    select count(*) filter (where q.due_at < 'infinity') as waiting,
           count(*) filter (where q.due_at = 'infinity') as parked,
           pg_catalog.now() - min(q.created_at) filter (where q.due_at < 'infinity') as oldest_waiting
    from s2s.queue q where q.server = s.srvname::text and q.server_dropped_at is null
) queued
cross join lateral (
    select count(*) filter (where a.verdict = 'delivered') as delivered_last_hour,
           count(*) filter (where a.verdict in ('retry', 'failed')) as failed_last_hour,
           percentile_cont(0.5) within group (order by a.duration) filter (where a.url is not null)
               as median_duration,
           percentile_cont(0.99) within group (order by a.duration) filter (where a.url is not null)
               as p99_duration
    from s2s.attempt a
    where a.server = s.srvname::text and a.started_at > pg_catalog.now() - interval '1 hour'
) lately;

create or replace view s2s.callback as
select q.id,
       q.server,
       q.action,
       q.transaction_id,
       q.click_id,
       q.parameters,
       last_attempt.url,
       case
           when q.due_at = 'infinity' then 'parked'
           when holding.id is not null then 'held'
           when q.attempts > 0 then 'retrying'
           else 'waiting'
       end as status,
       case when q.due_at < 'infinity' then holding.id end as held_by,
       q.attempts,
       q.created_at,
       null::timestamptz as finished_at,
       q.last_error
from s2s.queue q
left join lateral (
    select a.url from s2s.attempt a where a.callback_id = q.id order by a.id desc limit 1
) last_attempt on true
left join lateral (
    select h.id
    from s2s.holding h
    where h.server = q.server and h.action = q.action and h.transaction_id = q.transaction_id
      and h.id < q.id
    order by h.id
    limit 1
) holding on true
union all
select a.callback_id,
       a.server,
       a.action,
       a.transaction_id,
       a.click_id,
       null::jsonb,
       coalesce(a.url, (
           select e.url from s2s.attempt e
           where e.callback_id = a.callback_id and e.url is not null order by e.id desc limit 1
       )),
       a.verdict::text,
       null::bigint,
       a.attempt,
       a.created_at,
       a.started_at + a.duration,
       case when a.verdict = 'delivered' then null else a.message end
from s2s.attempt a
where a.verdict in ('delivered', 'cancelled')
  and not exists (
      select from s2s.attempt later
      where later.callback_id = a.callback_id and later.id > a.id and later.verdict in ('delivered', 'cancelled')
  )
  and not exists (select from s2s.queue q where q.id = a.callback_id);

-- One function of the library validates the options of every network, whose name is in that of the SQL
-- function.
create or replace function s2s.tradetracker_validator(options text[], catalog oid) returns void
    language c volatile strict parallel unsafe as 'MODULE_PATHNAME', 'network_validator_wrapper';
create or replace function s2s.linktrust_validator(options text[], catalog oid) returns void
    language c volatile strict parallel unsafe as 'MODULE_PATHNAME', 'network_validator_wrapper';
create or replace function s2s.postback_validator(options text[], catalog oid) returns void
    language c volatile strict parallel unsafe as 'MODULE_PATHNAME', 'network_validator_wrapper';

-- Acting on a callback takes USAGE of its server, or to be its owner, besides EXECUTE. So these functions
-- run as their caller, and reach the tables as the tables' owner.
create or replace function s2s.callback_url(id bigint) returns text
    language c volatile strict parallel unsafe set search_path to pg_catalog, pg_temp
    as 'MODULE_PATHNAME', 'callback_url_wrapper';
create or replace function s2s.retry(id bigint) returns boolean
    language c volatile strict parallel unsafe set search_path to pg_catalog, pg_temp
    as 'MODULE_PATHNAME', 'retry_wrapper';
create or replace function s2s.retry_parked(server text default null) returns bigint
    language c volatile parallel unsafe set search_path to pg_catalog, pg_temp
    as 'MODULE_PATHNAME', 'retry_parked_wrapper';
create or replace function s2s.cancel(id bigint) returns boolean
    language c volatile strict parallel unsafe set search_path to pg_catalog, pg_temp
    as 'MODULE_PATHNAME', 'cancel_wrapper';
comment on function s2s.callback_url is 'the URL that a queued callback would be sent to now, without secrets; NULL if it is not queued, or the user may not use its server';
comment on function s2s.retry is 'makes a callback due now, with attempts from zero; false if it is not queued, or the user may not use its server';
comment on function s2s.retry_parked is 'makes all parked callbacks due now, of one server or of all that the user may use; returns their number';
comment on function s2s.cancel is 'removes a callback from the queue and records it as cancelled; false if it is not queued, or the user may not use its server';

-- Comments in plain words.
comment on function s2s.linktrust_answer is 'the content of an answer from LinkTrust';
comment on function s2s.preview is 'what a trigger would report for rows that exist already: the URL, or the problem, or neither if it would queue nothing; in WHEN, OLD is NULL; queues and sends nothing';
comment on type s2s.action is 'what a callback reports: a lead, a sale, or an edit of a transaction';
comment on type s2s.verdict is 'result of an attempt: delivered, to be retried, failed for good, or cancelled by a user';
comment on table s2s.queue is 'callbacks that are not delivered yet';
comment on column s2s.queue.id is 'number of the callback, in the order of queueing';
comment on column s2s.queue.transaction_id is 'transaction id of the conversion at the network';
comment on column s2s.queue.parameters is 'all other parameters: an object of strings';
comment on column s2s.queue.created_at is 'start of the database transaction that queued it';
comment on column s2s.queue.due_at is 'time of the next attempt; infinity if it is parked';
comment on column s2s.queue.attempts is 'number of attempts so far with a request';
comment on column s2s.queue.last_error is 'why it is not delivered yet';
comment on column s2s.attempt.id is 'number of the attempt among all';
comment on column s2s.attempt.callback_id is 'number of the callback';
comment on column s2s.attempt.transaction_id is 'transaction id of the conversion at the network';
comment on column s2s.attempt.url is 'the URL as sent, without secrets; NULL if no request was made';
comment on column s2s.attempt.attempt is 'number of the attempt, from 1, starting over after s2s.retry(); of a cancelled callback, the number of attempts made';
comment on column s2s.attempt.started_at is 'when the attempt started';
comment on column s2s.attempt.http_status is 'HTTP status of the answer; NULL without an answer';
comment on column s2s.attempt.verdict is 'result of the attempt';
comment on column s2s.attempt.message is 'reason for the verdict';
comment on view s2s.callback is 'status of every callback, one row each';
comment on column s2s.callback.id is 'number of the callback, in the order of queueing';
comment on column s2s.callback.transaction_id is 'transaction id of the conversion at the network';
comment on column s2s.callback.parameters is 'all other parameters, while it is queued';
comment on column s2s.callback.held_by is 'the earlier callback of the same transaction id that it waits for';
comment on column s2s.callback.attempts is 'number of attempts so far';
comment on function s2s.server_occupation is 'requests in flight and breaker state of each server, as the worker last reported them';
comment on view s2s.server_status is 'state and load of every foreign server of an affiliate network, one row each';
comment on column s2s.server_status.network is 'its network: the foreign-data wrapper';
comment on column s2s.server_status.state is 'active, paused, or broken: after failures in a row it is only probed, or its ca_file cannot be read';
comment on column s2s.server_status.waiting is 'callbacks queued and not parked';
comment on column s2s.server_status.parked is 'callbacks parked until s2s.retry() or s2s.cancel()';
comment on column s2s.server_status.oldest_waiting is 'age of the oldest callback that is queued and not parked';
comment on column s2s.server_status.in_flight is 'requests in flight';
comment on column s2s.server_status.delivered_last_hour is 'callbacks delivered in the last hour';
comment on column s2s.server_status.failed_last_hour is 'attempts of the last hour that did not deliver';
comment on column s2s.server_status.median_duration is 'median duration of the last hour''s requests';
comment on column s2s.server_status.p99_duration is '99th percentile of that duration';
comment on function s2s.wait_until_idle is 'waits until nothing is left that can be sent now; false on timeout';
comment on function s2s.wake is 'makes the worker read the whole queue again when the database transaction commits';
comment on function s2s.worker_status is 'status of this database''s worker; a hint if it is not running';
comment on function s2s.is_replicated is 'whether this session applies changes made in another database';
comment on function s2s.skip_replicated is 'trigger: skips callbacks and attempts that logical replication brings from another database';
comment on trigger skip_replicated on s2s.queue is 'callbacks of the publisher are delivered by the publisher';
comment on trigger skip_replicated on s2s.attempt is 'attempts of the publisher are recorded at the publisher';
comment on function s2s.check_ddl is 'event trigger: checks triggers that report to networks, warns about those that a command breaks, keeps triggers and queue with their servers, tells the worker about changed servers';
comment on event trigger s2s_check_ddl is 'checks triggers that report to networks when they are created or their columns change, warns about those that a changed server breaks, gives triggers and queue the new name of a server, tells the worker about changed servers';
comment on event trigger s2s_check_drop is 'warns about triggers that report to networks and lose a column to DROP … CASCADE, or their server; parks what is queued for that';
comment on event trigger s2s_drop_extension is 'tells the worker that the extension is dropped';
comment on function s2s.start_worker is 'starts this database''s worker at commit; called by CREATE EXTENSION';
