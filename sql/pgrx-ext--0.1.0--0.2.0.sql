-- From 0.1.0 to 0.2.0: everything that a fresh 0.2.0 has and 0.1.0 had not, in the same words.
-- What users and their tables may depend on is replaced where it stands, never dropped.

-- It runs SQL, and whoever calls it may have somebody else's operators in the way.
alter function s2s.worker_status() set search_path to pg_catalog, pg_temp;

-- One index less for whoever inserts.
alter table s2s.queue drop constraint queue_pkey;
alter table s2s.queue add constraint queue_pkey primary key (server, due_at, id);
drop index s2s.queue_due;

create function s2s.linktrust_file(server text, identification text default null) returns text
    language c stable parallel unsafe set search_path to pg_catalog, pg_temp
    as 'MODULE_PATHNAME', 'linktrust_file_wrapper';
create function s2s.linktrust_load(server text, file text)
    returns table (line integer, callback_id bigint, problem text)
    language c volatile parallel unsafe
    as 'MODULE_PATHNAME', 'linktrust_load_wrapper';
create function s2s.preview("table" regclass, trigger_name name, row_limit integer default 10)
    returns table(row_data jsonb, url text, problem text)
    language c volatile parallel unsafe
    as 'MODULE_PATHNAME', 'preview_wrapper';
revoke execute on function s2s.linktrust_file(text, text) from public;
revoke execute on function s2s.linktrust_load(text, text) from public;
comment on function s2s.preview is 'what a trigger would send for rows that are there: the URL, or the problem; neither: nothing; in WHEN, OLD is NULL; sends nothing';
comment on function s2s.linktrust_file is 'a server''s queued edits as LinkTrust''s tab-delimited file, with the password: for the server''s owner; the edits stay queued';
comment on function s2s.linktrust_load is 'queues one edit a line of LinkTrust''s tab-delimited file; a row a line: its callback, or what is wrong with it';

-- Columns are renamed by other commands, too.
alter extension "pgrx-ext" drop event trigger s2s_check_ddl;
drop event trigger s2s_check_ddl;
create event trigger s2s_check_ddl on ddl_command_end
    when tag in (
        'CREATE TRIGGER', 'CREATE SCHEMA', 'ALTER TABLE', 'ALTER FOREIGN TABLE', 'ALTER VIEW', 'ALTER MATERIALIZED VIEW', 'ALTER TYPE',
        'CREATE SERVER', 'ALTER SERVER', 'DROP SERVER',
        'CREATE USER MAPPING', 'ALTER USER MAPPING', 'DROP USER MAPPING', 'DROP FOREIGN DATA WRAPPER', 'DROP OWNED'
    )
    execute function s2s.check_ddl();
comment on event trigger s2s_check_ddl is 'checks triggers that report to networks when they are made or their columns change, warns of those that a changed server leaves unable to work, tells the worker of changed servers';
comment on function s2s.check_ddl is 'event trigger: checks triggers that report to networks, warns of those that are left unable to work, tells the worker of changed servers';
comment on function s2s.wake is 'makes the worker look at the whole queue when the transaction commits';

-- All that can drop a column along with something else; it looks no further unless there is CASCADE.
create event trigger s2s_check_drop on sql_drop execute function s2s.check_ddl();
comment on event trigger s2s_check_drop is 'warns of triggers that report to networks and lose a column to DROP … CASCADE';

create function s2s.is_replicated() returns boolean
    stable strict
    language c as 'MODULE_PATHNAME', 'is_replicated_wrapper';
create function s2s.skip_replicated() returns trigger
    language c as 'MODULE_PATHNAME', 'skip_replicated_wrapper';
-- For what a subscription brings, and nothing else: a dump may be restored with
-- session_replication_role = replica, and pg_restore --disable-triggers runs ENABLE TRIGGER ALL.
create trigger skip_replicated before insert on s2s.queue for each row
    when (s2s.is_replicated())
    execute function s2s.skip_replicated();
create trigger skip_replicated before insert on s2s.attempt for each row
    when (s2s.is_replicated())
    execute function s2s.skip_replicated();
alter table s2s.queue enable replica trigger skip_replicated;
alter table s2s.attempt enable replica trigger skip_replicated;
comment on function s2s.is_replicated is 'whether this session applies what was done in another database';
comment on function s2s.skip_replicated is 'trigger: keeps another database''s callbacks and attempts out in logical replication';
comment on trigger skip_replicated on s2s.queue is 'what the publisher owes is not owed here';
comment on trigger skip_replicated on s2s.attempt is 'what the publisher did was not done here';

-- Ahead of the command: afterwards there is neither trigger nor function.
create event trigger s2s_drop_extension on ddl_command_start
    when tag in ('DROP EXTENSION')
    execute function s2s.check_ddl();

-- A callback that was cancelled shows where it had been sent to.
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
    select e.id
    from s2s.queue e
    where e.server = q.server and e.action = q.action and e.transaction_id = q.transaction_id
      and e.id < q.id and (e.attempts > 0 or e.due_at = 'infinity')
    order by e.id
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

comment on column s2s.server_status.state is 'active, paused, or broken: after failures in a row it is only probed; or its ca_file cannot be read';
comment on cast (s2s.click_id as s2s.click_id) is 'checks the type modifier';
comment on cast (text as s2s.click_id) is 'validates';
comment on cast (character varying as s2s.click_id) is 'validates';
comment on cast (s2s.click_id as text) is 'the same text';
comment on event trigger s2s_drop_extension is 'tells the worker that it is not needed any more';
comment on column s2s.attempt.attempt is 'the how manyth attempt it was, from 1; again from 1 after s2s.retry(); of one that was cancelled, how many there had been';
