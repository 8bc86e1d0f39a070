-- Views, event triggers, comments and rights.

create view s2s.callback as
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
    where s2s.holds(e, q)
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

create view s2s.server_status as
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
    from s2s.queue q where q.server = s.srvname::text
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

create event trigger s2s_check_ddl on ddl_command_end
    when tag in (
        'CREATE TRIGGER', 'CREATE SCHEMA', 'ALTER TABLE', 'ALTER FOREIGN TABLE', 'ALTER VIEW', 'ALTER MATERIALIZED VIEW', 'ALTER TYPE',
        'CREATE SERVER', 'ALTER SERVER', 'DROP SERVER',
        'CREATE USER MAPPING', 'ALTER USER MAPPING', 'DROP USER MAPPING', 'DROP FOREIGN DATA WRAPPER', 'DROP OWNED'
    )
    execute function s2s.check_ddl();

-- All that can drop a column along with something else; it looks no further unless there is CASCADE.
create event trigger s2s_check_drop on sql_drop execute function s2s.check_ddl();

-- Ahead of the command: afterwards there is neither trigger nor function.
create event trigger s2s_drop_extension on ddl_command_start
    when tag in ('DROP EXTENSION')
    execute function s2s.check_ddl();

-- What acts is granted by the DBA; what only computes is open to all.
revoke execute on function s2s.report_lead(
    text, text, s2s.click_id, text, text, text, bigint, text, jsonb) from public;
revoke execute on function s2s.report_sale(
    text, text, numeric, text, s2s.click_id, text, text, text, bigint, text, jsonb) from public;
revoke execute on function s2s.edit_transaction(
    text, text, s2s.click_id, text, text, boolean, numeric, numeric, boolean, text) from public;
revoke execute on function s2s.linktrust_file(text, text) from public;
revoke execute on function s2s.linktrust_load(text, text) from public;
revoke execute on function s2s.wake() from public;
revoke execute on function s2s.wait_until_idle(interval) from public;
revoke execute on function s2s.start_worker() from public;
revoke execute on function s2s.retry(bigint) from public;
revoke execute on function s2s.retry_parked(text) from public;
revoke execute on function s2s.cancel(bigint) from public;
revoke execute on function s2s.callback_url(bigint) from public;

comment on schema s2s is 'server-to-server callbacks to affiliate networks';

comment on type s2s.action is 'what is reported: a lead, a sale, or the edit of a transaction';
comment on type s2s.verdict is 'what an attempt came to: delivered, worth a retry, failed for good, or cancelled by hand';
comment on type s2s.click_id is 'the identifier that an affiliate network gives to one click; s2s.click_id(tradetracker) and s2s.click_id(linktrust) accept only that network''s form';

comment on operator pg_catalog.= (s2s.click_id, s2s.click_id) is 'equal';
comment on operator pg_catalog.<> (s2s.click_id, s2s.click_id) is 'not equal';
comment on operator pg_catalog.< (s2s.click_id, s2s.click_id) is 'less than, byte by byte';
comment on operator pg_catalog.<= (s2s.click_id, s2s.click_id) is 'less than or equal, byte by byte';
comment on operator pg_catalog.> (s2s.click_id, s2s.click_id) is 'greater than, byte by byte';
comment on operator pg_catalog.>= (s2s.click_id, s2s.click_id) is 'greater than or equal, byte by byte';
comment on operator class s2s.click_id_ops using btree is 'click ids byte by byte';
comment on operator class s2s.click_id_ops using hash is 'click ids by their bytes';

comment on cast (s2s.click_id as s2s.click_id) is 'checks the type modifier';
comment on cast (text as s2s.click_id) is 'validates';
comment on cast (character varying as s2s.click_id) is 'validates';
comment on cast (s2s.click_id as text) is 'the same text';

comment on function s2s.click_id_in(cstring, oid, integer) is 'input of click_id';
comment on function s2s.click_id_out is 'output of click_id';
comment on function s2s.click_id_recv is 'binary input of click_id';
comment on function s2s.click_id_send is 'binary output of click_id';
comment on function s2s.click_id_typmod_in is 'type modifiers of click_id';
comment on function s2s.click_id_typmod_out is 'type modifiers of click_id';
comment on function s2s.click_id(s2s.click_id, integer, boolean) is 'checks a click id against a type modifier';
comment on function s2s.click_id_eq is 'implementation of = operator';
comment on function s2s.click_id_ne is 'implementation of <> operator';
comment on function s2s.click_id_lt is 'implementation of < operator';
comment on function s2s.click_id_le is 'implementation of <= operator';
comment on function s2s.click_id_gt is 'implementation of > operator';
comment on function s2s.click_id_ge is 'implementation of >= operator';
comment on function s2s.click_id_cmp is 'less-equal-greater';
comment on function s2s.click_id_sortsupport is 'sort support';
comment on function s2s.click_id_hash is 'hash';
comment on function s2s.click_id_hash_extended is 'hash';

comment on function s2s.network is 'the network whose form the click id has: tradetracker, linktrust or NULL';
comment on function s2s.material_id is 'the material that was clicked; NULL if not a TradeTracker click id';
comment on function s2s.affiliate_id is 'the affiliate''s site; NULL if not a TradeTracker click id';
comment on function s2s.reference is 'the affiliate''s own reference; NULL if not a TradeTracker click id';
comment on function s2s.checksum is 'the checksum field; NULL if not a TradeTracker click id';
comment on function s2s.clicked_at is 'when the click was made; NULL if not a TradeTracker click id';
comment on function s2s.checksum_ok is 'whether the md5 in the click id fits the campaign; NULL if there is none';
comment on function s2s.is_click_id(text) is 'whether the text is a click id of any network';
comment on function s2s.is_click_id(text, text) is 'whether the text is a click id of the network';
comment on function s2s.click_id_from_url is 'the click id in a query parameter of a landing page''s URL; NULL if absent';

comment on function s2s.url_encode is 'percent-encodes all but A-Z a-z 0-9 - . _ ~ (RFC 3986)';
comment on function s2s.url_decode is 'decodes percent-encoded text once (RFC 3986)';
comment on function s2s.tradetracker_lead_url is 'the URL that reports a lead to TradeTracker';
comment on function s2s.tradetracker_sale_url is 'the URL that reports a sale to TradeTracker';
comment on function s2s.lead_url is 'the URL that reports a lead to a server''s network';
comment on function s2s.sale_url is 'the URL that reports a sale to a server''s network';

comment on function s2s.report_lead() is 'trigger: queues a lead for each row; arguments: server, parameter=text {column} …';
comment on function s2s.report_sale() is 'trigger: queues a sale for each row; arguments: server, parameter=text {column} …';
comment on function s2s.report_lead(text, text, s2s.click_id, text, text, text, bigint, text, jsonb) is 'queues a lead and returns its callback''s id; NULL without click id and voucher code';
comment on function s2s.report_sale(text, text, numeric, text, s2s.click_id, text, text, text, bigint, text, jsonb) is 'queues a sale and returns its callback''s id; NULL without click id and voucher code';
comment on function s2s.preview is 'what a trigger would send for rows that are there: the URL, or the problem; neither: nothing; in WHEN, OLD is NULL; sends nothing';
comment on function s2s.check_ddl is 'event trigger: checks triggers that report to networks, warns of those that are left unable to work, tells the worker of changed servers';
comment on function s2s.is_replicated is 'whether this session applies what was done in another database';
comment on function s2s.skip_replicated is 'trigger: keeps another database''s callbacks and attempts out in logical replication';
comment on trigger skip_replicated on s2s.queue is 'what the publisher owes is not owed here';
comment on trigger skip_replicated on s2s.attempt is 'what the publisher did was not done here';
comment on event trigger s2s_drop_extension is 'tells the worker that it is not needed any more';
comment on event trigger s2s_check_ddl is 'checks triggers that report to networks when they are made or their columns change, warns of those that a changed server leaves unable to work, tells the worker of changed servers';
comment on event trigger s2s_check_drop is 'warns of triggers that report to networks and lose a column to DROP … CASCADE';

comment on function s2s.edit_transaction() is 'trigger: queues an edit of a transaction for each row; arguments: server, parameter=text {column} …';
comment on function s2s.edit_transaction(text, text, s2s.click_id, text, text, boolean, numeric, numeric, boolean, text) is 'queues the edit of a transaction and returns its callback''s id';
comment on function s2s.edit_url is 'the URL that edits a transaction at a server''s network, without the password';
comment on function s2s.linktrust_edit_url is 'the URL that edits a transaction at LinkTrust, with the password';
comment on function s2s.linktrust_answer is 'what an answer of LinkTrust''s says';
comment on function s2s.linktrust_file is 'a server''s queued edits as LinkTrust''s tab-delimited file, with the password: for the server''s owner; the edits stay queued';
comment on function s2s.linktrust_load is 'queues one edit a line of LinkTrust''s tab-delimited file; a row a line: its callback, or what is wrong with it';
comment on function s2s.postback_url is 'a URL template with its placeholders filled in';
comment on foreign data wrapper linktrust is 'LinkTrust: servers are tracking URLs, for edits of transactions';
comment on function s2s.linktrust_validator is 'checks the options of LinkTrust servers and their passwords';
comment on foreign data wrapper postback is 'any other network, by URL templates';
comment on function s2s.postback_validator is 'checks the URL templates of postback servers';
comment on foreign data wrapper tradetracker is 'TradeTracker: servers are campaigns, for leads and sales';
comment on function s2s.tradetracker_validator is 'checks the options of TradeTracker servers';

comment on function s2s.wake is 'makes the worker look at the whole queue when the transaction commits';
comment on function s2s.start_worker is 'starts this database''s worker at commit; CREATE EXTENSION calls it';
comment on function s2s.wait_until_idle is 'waits until nothing can be sent now; false at the timeout';
comment on function s2s.worker_status is 'this database''s worker, and what to do if it is not running';

comment on function s2s.retry is 'makes a callback due now, with attempts from zero; false if it is not queued';
comment on function s2s.retry_parked is 'makes all parked callbacks due now, of one server or of all; returns how many';
comment on function s2s.cancel is 'drops a callback from the queue, on record as cancelled; false if it is not queued';
comment on function s2s.callback_url is 'the URL that a queued callback would be sent to now, without secrets; NULL if it is not queued';
comment on function s2s.server_occupation is 'what the worker does with each server now';

comment on view s2s.server_status is 'how every server is: one row each';
comment on column s2s.server_status.server is 'the foreign server';
comment on column s2s.server_status.network is 'its network';
comment on column s2s.server_status.state is 'active, paused, or broken: after failures in a row it is only probed; or its ca_file cannot be read';
comment on column s2s.server_status.waiting is 'callbacks that are due or will be';
comment on column s2s.server_status.parked is 'callbacks that wait for a person';
comment on column s2s.server_status.oldest_waiting is 'how long the oldest of them waits';
comment on column s2s.server_status.in_flight is 'requests on the wire';
comment on column s2s.server_status.delivered_last_hour is 'deliveries of the last hour';
comment on column s2s.server_status.failed_last_hour is 'attempts of the last hour that were not';
comment on column s2s.server_status.median_duration is 'median time of the last hour''s requests';
comment on column s2s.server_status.p99_duration is 'all but one in a hundred of the last hour''s requests took less';

comment on table s2s.queue is 'callbacks that are owed';
comment on column s2s.queue.id is 'the callback''s number, in the order of queueing';
comment on column s2s.queue.server is 'the foreign server';
comment on column s2s.queue.action is 'what is reported';
comment on column s2s.queue.transaction_id is 'what identifies the transaction at the network';
comment on column s2s.queue.click_id is 'the click, if there was one';
comment on column s2s.queue.parameters is 'everything else that is to be said, as strings by parameter name';
comment on column s2s.queue.created_at is 'start of the transaction that queued it';
comment on column s2s.queue.due_at is 'not before; infinity: parked';
comment on column s2s.queue.attempts is 'how often it was tried';
comment on column s2s.queue.last_error is 'why it is still here';

comment on function s2s.is_holding is 'whether a queued callback holds the later ones of its transaction id: it was tried, or is parked';
comment on function s2s.holds is 'whether a queued callback holds a later one of the same server, action and transaction id';

comment on table s2s.attempt is 'every attempt to deliver a callback, kept for s2s.attempt_retention';
comment on column s2s.attempt.id is 'the attempt''s number';
comment on column s2s.attempt.callback_id is 'the callback';
comment on column s2s.attempt.server is 'the foreign server';
comment on column s2s.attempt.action is 'what was reported';
comment on column s2s.attempt.transaction_id is 'what identifies the transaction at the network';
comment on column s2s.attempt.click_id is 'the click, if there was one';
comment on column s2s.attempt.url is 'the URL as sent, without secrets; NULL if there was none to send to';
comment on column s2s.attempt.created_at is 'when the callback was queued';
comment on column s2s.attempt.attempt is 'the how manyth attempt it was, from 1; again from 1 after s2s.retry(); of one that was cancelled, how many there had been';
comment on column s2s.attempt.started_at is 'when the request started';
comment on column s2s.attempt.duration is 'how long it took';
comment on column s2s.attempt.http_status is 'the HTTP status; NULL if there was no answer';
comment on column s2s.attempt.verdict is 'what it came to';
comment on column s2s.attempt.message is 'why';
comment on column s2s.attempt.response is 'the first 2 kB of the answer''s body';

comment on view s2s.callback is 'what became of every callback: one row each';
comment on column s2s.callback.id is 'the callback''s number';
comment on column s2s.callback.server is 'the foreign server';
comment on column s2s.callback.action is 'what is reported';
comment on column s2s.callback.transaction_id is 'what identifies the transaction at the network';
comment on column s2s.callback.click_id is 'the click, if there was one';
comment on column s2s.callback.parameters is 'what is to be said, while it is queued';
comment on column s2s.callback.url is 'the URL as last sent, without secrets';
comment on column s2s.callback.status is 'waiting, retrying, held, parked, delivered or cancelled';
comment on column s2s.callback.held_by is 'the earlier callback of the same transaction that it waits behind';
comment on column s2s.callback.attempts is 'how often it was tried';
comment on column s2s.callback.created_at is 'when it was queued';
comment on column s2s.callback.finished_at is 'when it left the queue';
comment on column s2s.callback.last_error is 'why it is not delivered';

select s2s.start_worker();
