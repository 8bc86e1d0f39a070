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

-- What is wrong with a server stands in its status.
create function s2s.server_problem(server text) returns text
    language c volatile strict parallel unsafe
    as 'MODULE_PATHNAME', 'server_problem_wrapper';
comment on function s2s.server_problem is 'why nothing can be sent to a server until that is mended: its options, or its ca_file; NULL if nothing is wrong with them';

create or replace view s2s.server_status as
select s.srvname::text as server,
       w.fdwname::text as network,
       case
           when exists (
               select from pg_catalog.pg_options_to_table(s.srvoptions) o
               where o.option_name = 'paused' and o.option_value::boolean
           ) then 'paused'
           when occupation.is_broken or own.problem is not null then 'broken'
           when occupation.server is null and exists (
               select from s2s.server_occupation() o where o.server is null
           ) then 'unknown'
           else 'active'
       end as state,
       queued.waiting,
       queued.parked,
       queued.oldest_waiting,
       coalesce(occupation.in_flight, 0) as in_flight,
       lately.delivered_last_hour,
       lately.failed_last_hour,
       lately.median_duration,
       lately.p99_duration,
       coalesce(own.problem, case when occupation.is_broken then (
           select a.message from s2s.attempt a
           where a.server = s.srvname::text and a.verdict in ('retry', 'failed')
           order by a.started_at desc limit 1
       ) end) as problem
from pg_catalog.pg_foreign_server s
join pg_catalog.pg_foreign_data_wrapper w on w.oid = s.srvfdw
join pg_catalog.pg_proc validator on validator.oid = w.fdwvalidator
    and validator.pronamespace = 's2s'::pg_catalog.regnamespace
left join s2s.server_occupation() occupation on occupation.server = s.oid
cross join lateral (select s2s.server_problem(s.srvname::text) as problem) own
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

-- Click ids compare with text, and are passed as text.
update pg_catalog.pg_type set typcategory = 'S' where oid = 's2s.click_id'::pg_catalog.regtype;
drop cast (s2s.click_id as text);
create function s2s.click_id(character) returns s2s.click_id
    language sql immutable strict parallel safe
    return $1::text::s2s.click_id;
comment on function s2s.click_id(character) is 'validates, without the blanks at the end';
create cast (character as s2s.click_id) with function s2s.click_id(character) as assignment;
comment on cast (character as s2s.click_id) is 'validates, without the blanks at the end';
create cast (s2s.click_id as text) without function as implicit;
comment on cast (s2s.click_id as text) is 'the same text';
create cast (s2s.click_id as character varying) without function as implicit;
comment on cast (s2s.click_id as character varying) is 'the same text';

-- Types of the category string take all others by assignment. These must be cast: a number is an order's,
-- not a click's, and JSON writes a text with quotes.
do $$
declare
    other text;
begin
    foreach other in array array['smallint', 'integer', 'bigint', 'numeric', 'boolean', 'bytea', 'json', 'jsonb'] loop
        execute pg_catalog.format('create cast (%s as s2s.click_id) with inout', other);
        execute pg_catalog.format('comment on cast (%s as s2s.click_id) is ''validates''', other);
    end loop;
end
$$;

-- The same between click ids and text, so that a click id that is passed as text is found, by an index too.
-- Those between two texts are for joins that sort or hash the text: they have names of their own, and
-- heed no collation.
do $$
declare
    pair record;
    op record;
begin
    for pair in
        select * from (values
            ('s2s.click_id', 'text', 'pg_catalog.%s'),
            ('text', 's2s.click_id', 'pg_catalog.%s'),
            ('text', 'text', 's2s.~%s~')
        ) as pair(l, r, named)
    loop
        for op in
            select * from (values
                ('eq', 3, '=', '=', '<>', 'eqsel, join = eqjoinsel, hashes, merges', 'equal'),
                ('ne', null, '<>', '<>', '=', 'neqsel, join = neqjoinsel', 'not equal'),
                ('lt', 1, '<', '>', '>=', 'scalarltsel, join = scalarltjoinsel', 'less than, byte by byte'),
                ('le', 2, '<=', '>=', '>', 'scalarlesel, join = scalarlejoinsel', 'less than or equal, byte by byte'),
                ('gt', 5, '>', '<', '<=', 'scalargtsel, join = scalargtjoinsel', 'greater than, byte by byte'),
                ('ge', 4, '>=', '<=', '<', 'scalargesel, join = scalargejoinsel', 'greater than or equal, byte by byte')
            ) as op(name, strategy, symbol, commutator, negator, estimates, comment)
        loop
            execute pg_catalog.format(
                'create function s2s.click_id_%3$s(%1$s, %2$s) returns boolean
                     language internal immutable strict leakproof parallel safe as ''bytea%3$s'';
                 comment on function s2s.click_id_%3$s(%1$s, %2$s) is ''implementation of %4$s operator'';
                 create operator %5$s (
                     leftarg = %1$s, rightarg = %2$s, function = s2s.click_id_%3$s,
                     commutator = operator(%6$s), negator = operator(%7$s), restrict = %8$s
                 );
                 comment on operator %5$s (%1$s, %2$s) is %9$L',
                pair.l, pair.r, op.name, op.symbol,
                pg_catalog.format(pair.named, op.symbol), pg_catalog.format(pair.named, op.commutator),
                pg_catalog.format(pair.named, op.negator), op.estimates, op.comment);
            if op.strategy is not null then
                execute pg_catalog.format(
                    'alter operator family s2s.click_id_ops using btree add operator %s %s (%s, %s)',
                    op.strategy, pg_catalog.format(pair.named, op.symbol), pair.l, pair.r);
            end if;
        end loop;
        execute pg_catalog.format(
            'create function s2s.click_id_cmp(%1$s, %2$s) returns integer
                 language internal immutable strict leakproof parallel safe as ''byteacmp'';
             comment on function s2s.click_id_cmp(%1$s, %2$s) is ''less-equal-greater'';
             alter operator family s2s.click_id_ops using btree
                 add function 1 (%1$s, %2$s) s2s.click_id_cmp(%1$s, %2$s);
             alter operator family s2s.click_id_ops using hash
                 add operator 1 %3$s (%1$s, %2$s)',
            pair.l, pair.r, pg_catalog.format(pair.named, '='));
    end loop;
end
$$;

create function s2s.click_id_hash(text) returns integer
    language internal immutable strict leakproof parallel safe as 'hashvarlena';
comment on function s2s.click_id_hash(text) is 'hash, the same as that of a click id';
create function s2s.click_id_hash_extended(text, bigint) returns bigint
    language internal immutable strict leakproof parallel safe as 'hashvarlenaextended';
comment on function s2s.click_id_hash_extended(text, bigint) is 'hash, the same as that of a click id';
alter operator family s2s.click_id_ops using btree
    add function 2 (text, text) s2s.click_id_sortsupport(internal);
alter operator family s2s.click_id_ops using hash add
    function 1 (text, text) s2s.click_id_hash(text),
    function 2 (text, text) s2s.click_id_hash_extended(text, bigint);

-- A visitor's URL never fails a statement.
create function s2s.try_click_id(text text) returns s2s.click_id
    language c immutable strict parallel safe as 'MODULE_PATHNAME', 'try_click_id_wrapper';
comment on function s2s.try_click_id(text) is 'the text as a click id; NULL if it is none';
create function s2s.try_click_id(text text, network text) returns s2s.click_id
    language c immutable strict parallel safe as 'MODULE_PATHNAME', 'try_click_id_of_wrapper';
comment on function s2s.try_click_id(text, text) is 'the text as a click id of the network; NULL if it is none';
comment on function s2s.click_id_from_url is 'the click id in a query parameter of a landing page''s URL; NULL if it is absent or no click id';

-- A server is read for each row: PostgreSQL uses several processes for a large table.
alter function s2s.lead_url(text, text, s2s.click_id, text, text, text, bigint, text, jsonb) cost 100;
alter function s2s.sale_url(text, text, numeric, text, s2s.click_id, text, text, text, bigint, text, jsonb) cost 100;
alter function s2s.edit_url(text, text, s2s.click_id, text, text, boolean, numeric, numeric, boolean, text) cost 100;

-- For queries over many rows, of which some cannot be reported. What is wrong with the server is an error here, too.
create function s2s.try_lead_url(
    server text, transaction_id text,
    click_id s2s.click_id default null,
    description_merchant text default null, description_affiliate text default null,
    voucher_code text default null, product_id bigint default null,
    tracking_group_id text default null, parameters jsonb default null
) returns text
    language c stable parallel safe cost 100
    as 'MODULE_PATHNAME', 'try_lead_url_wrapper';
comment on function s2s.try_lead_url is 'the URL that reports a lead to a server''s network; NULL if its values are invalid';

create function s2s.try_sale_url(
    server text, transaction_id text, amount numeric, currency text,
    click_id s2s.click_id default null,
    description_merchant text default null, description_affiliate text default null,
    voucher_code text default null, product_id bigint default null,
    tracking_group_id text default null, parameters jsonb default null
) returns text
    language c stable parallel safe cost 100
    as 'MODULE_PATHNAME', 'try_sale_url_wrapper';
comment on function s2s.try_sale_url is 'the URL that reports a sale to a server''s network; NULL if its values are invalid';

create function s2s.try_edit_url(
    server text,
    transaction_id text default null, click_id s2s.click_id default null,
    merchant_reference_id text default null, campaign_id text default null,
    approved boolean default null, affiliate_payout numeric default null,
    merchant_payout numeric default null, execute_affiliate_pixel boolean default null,
    reason text default null
) returns text
    language c stable parallel safe cost 100
    as 'MODULE_PATHNAME', 'try_edit_url_wrapper';
comment on function s2s.try_edit_url is 'the URL that edits a transaction at a server''s network, without the password; NULL if its values are invalid';
-- A dump does not keep the sequences any more: it would set them back in a database where triggers queue
-- callbacks while it is restored. Ids count from the microseconds since 1970, those of callbacks when the
-- next is queued: so they are above all that a dump brings.
alter extension "pgrx-ext" drop sequence s2s.queue_id_seq;
alter extension "pgrx-ext" add sequence s2s.queue_id_seq;
alter extension "pgrx-ext" drop sequence s2s.attempt_id_seq;
alter extension "pgrx-ext" add sequence s2s.attempt_id_seq;
select pg_catalog.setval('s2s.attempt_id_seq', (extract(epoch from pg_catalog.clock_timestamp()) * 1000000)::bigint);
-- What a trigger would report for a row that is given.
create function s2s.preview("table" regclass, trigger_name name, new jsonb, old jsonb)
    returns table (row_data jsonb, url text, problem text)
    language c volatile parallel unsafe
    as 'MODULE_PATHNAME', 'preview_given_wrapper';
comment on function s2s.preview(regclass, name, jsonb, jsonb) is 'what a trigger would report if a row with these columns were inserted, or if it took the place of the same row with the columns in old; for the table''s owner; queues and sends nothing';

-- Callbacks of a user's own triggers.
create function s2s.queue_callback(server text, action text, parameters jsonb) returns bigint
    language c volatile parallel unsafe
    as 'MODULE_PATHNAME', 'queue_callback_wrapper';
comment on function s2s.queue_callback is 'for your own triggers: queues a callback with the parameters of trigger arguments, parked if they are invalid, and returns its id; NULL if a trigger would queue nothing; needs USAGE of the server';

-- Comments in plain words.
comment on function s2s.linktrust_answer is 'the content of an answer from LinkTrust';
comment on function s2s.preview(regclass, name, integer) is 'what a trigger would report for rows that exist already: the URL, or the problem, or neither if it would queue nothing; in WHEN, OLD is NULL; queues and sends nothing';
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
comment on function s2s.server_occupation is 'requests in flight and breaker state of each server that is broken or busy, as the worker last reported them; a row without server if not all that are broken are shown';
comment on view s2s.server_status is 'state and load of every foreign server of an affiliate network, one row each';
comment on column s2s.server_status.network is 'its network: the foreign-data wrapper';
comment on column s2s.server_status.state is 'active, paused, or broken: after failures in a row it is only probed, or its options or its ca_file cannot be used; unknown if more than 64 are broken';
comment on column s2s.server_status.waiting is 'callbacks queued and not parked';
comment on column s2s.server_status.parked is 'callbacks parked until s2s.retry() or s2s.cancel()';
comment on column s2s.server_status.oldest_waiting is 'age of the oldest callback that is queued and not parked';
comment on column s2s.server_status.in_flight is 'requests in flight';
comment on column s2s.server_status.delivered_last_hour is 'callbacks delivered in the last hour';
comment on column s2s.server_status.failed_last_hour is 'attempts of the last hour that did not deliver';
comment on column s2s.server_status.median_duration is 'median duration of the last hour''s requests';
comment on column s2s.server_status.p99_duration is '99th percentile of that duration';
comment on column s2s.server_status.problem is 'why nothing can be sent to it until that is mended, or why it is broken';
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

-- Ids as shops have them
-- ----------------------
-- Every function above that takes a transaction id or a merchant reference id as text takes it as an
-- integer, numeric or uuid as well: by a form of it that calls that of text. Their first arguments differ,
-- or a call without any such id would be ambiguous: name and varchar are taken for less than text, so
-- literals and parameters without a type mean the form of text. The forms are open to all: who may not call
-- that of text gets no further. They are inlined, which SET would prevent: all names in them are qualified.

create function s2s.id_text(id anyelement) returns text
    language c immutable strict parallel safe as 'MODULE_PATHNAME', 'id_text_wrapper';
comment on function s2s.id_text is 'the text of an integer, numeric, uuid or text; an error for other types';

do $$
declare
    of_text record;
begin
    for of_text in
        select p.proname as name, p.provolatile as volatility, p.proparallel as parallel, p.procost as cost,
               pg_catalog.pg_get_function_arguments(p.oid) as arguments,
               pg_catalog.pg_get_function_result(p.oid) as result,
               pg_catalog.obj_description(p.oid, 'pg_proc') as comment,
               (select pg_catalog.string_agg(
                    case when argument.name in ('transaction_id', 'merchant_reference_id') then 's2s.id_text($' || argument.number || ')'
                         when argument.name in ('server', 'tracking_url') then '$' || argument.number || '::pg_catalog.text'
                         else '$' || argument.number
                    end, ', ' order by argument.number)
                from pg_catalog.unnest(p.proargnames) with ordinality as argument(name, number)) as passed
        from pg_catalog.pg_proc p
        join pg_catalog.pg_depend d on d.objid = p.oid and d.deptype = 'e'
            and d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
        where p.pronamespace = 's2s'::pg_catalog.regnamespace and p.proargmodes is null
          and p.proargnames && array['transaction_id', 'merchant_reference_id']
        order by 1
    loop
        of_text.arguments := pg_catalog.regexp_replace(
            of_text.arguments, '(transaction_id|merchant_reference_id) text( DEFAULT NULL)?(::text)?', '\1 anycompatible\2', 'g');
        of_text.arguments := pg_catalog.regexp_replace(of_text.arguments, '^server text', 'server name');
        of_text.arguments := pg_catalog.regexp_replace(of_text.arguments, '^tracking_url text', 'tracking_url varchar');
        execute pg_catalog.format(
            'create function s2s.%1$I(%2$s) returns %4$s language sql %5$s parallel %6$s cost %7$s as %8$L;
             comment on function s2s.%1$I(%3$s) is %9$L',
            of_text.name,
            of_text.arguments,
            pg_catalog.regexp_replace(of_text.arguments, ' DEFAULT [^,]*', '', 'g'),
            of_text.result,
            case of_text.volatility when 'i' then 'immutable' when 's' then 'stable' else 'volatile' end,
            case of_text.parallel when 's' then 'safe' else 'unsafe' end,
            of_text.cost,
            pg_catalog.format('select s2s.%I(%s)', of_text.name, of_text.passed),
            of_text.comment || '; ids of type integer, numeric or uuid');
    end loop;
end
$$;
