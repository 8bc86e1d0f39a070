-- Queueing without a trigger, and the functions to watch the worker, here without one.
create server games_nl foreign data wrapper tradetracker options (campaign_id '1234', product_id '56', click_ids 'any');
select s2s.report_lead('games_nl', '123456', '0::12345::reference::::1405418672', 'new player', 'new player') is not null as queued;
select s2s.report_sale('games_nl', transaction_id => '987', amount => 49.9, currency => 'EUR', voucher_code => 'SUMMER 10%', product_id => 9) is not null as queued;
select s2s.report_lead('games_nl', 'organic') is null, s2s.report_sale('games_nl', 'organic', 5, 'EUR') is null;
select server, action, transaction_id, click_id, parameters, attempts, last_error from s2s.queue order by id;
select server, action, transaction_id, click_id, parameters, url, status, held_by, attempts, finished_at, last_error from s2s.callback order by id;
-- Invalid values are errors here.
select s2s.report_sale('games_nl', '1', -1, 'EUR', 'c');
select s2s.report_sale('games_nl', '1', 1, 'EURO', 'c');
select s2s.report_lead('games_nl', '', 'c');
select s2s.report_lead('games_nl', '1', 'a b');
select s2s.report_lead('nowhere', '1', 'c');
select s2s.report_lead('games_nl', '1', 'c', parameters => '{"amount": 5}');
select s2s.sale_url('games_nl', '1', -1, 'EUR', 'c');
select s2s.edit_transaction('games_nl', click_id => 'c', approved => false);
select s2s.report_sale('games_nl', 'NaN', 'NaN', 'EUR', 'c');
-- Or they are parked, if the setting was set: for a session, a function, a role or a database.
show s2s.on_invalid_row;
set s2s.on_invalid_row = park;
select s2s.report_sale('games_nl', 'session', -1, 'EUR', 'c') is not null, s2s.report_sale('games_nl', 'organic', -1, 'EUR') is null;
select s2s.report_lead('games_nl', 'unknown', 'c', parameters => '{"amount": 5}');
select s2s.edit_transaction('games_nl', click_id => 'c', approved => false);
set s2s.on_invalid_row = error;
select s2s.report_sale('games_nl', '1', -1, 'EUR', 'c');
reset s2s.on_invalid_row;
select s2s.report_sale('games_nl', '1', -1, 'EUR', 'c');
create function backfill() returns bigint language sql set s2s.on_invalid_row = park
    as $$select s2s.report_sale('games_nl', 'function', 1, 'EURO', 'c')$$;
select backfill() is not null;
begin;
set local s2s.on_invalid_row = park;
select s2s.report_sale('games_nl', 'local', -1, repeat('X', 100000), 'c') is not null;
commit;
select s2s.report_sale('games_nl', '1', -1, 'EUR', 'c');
select format('alter database %I set s2s.on_invalid_row = park', current_database()) \gexec
\c
select s2s.report_sale('games_nl', 'database', -1, 'EUR', 'c') is not null;
select format('alter database %I reset s2s.on_invalid_row', current_database()) \gexec
\c
select s2s.report_sale('games_nl', '1', -1, 'EUR', 'c');
select transaction_id, due_at, last_error from s2s.queue where due_at = 'infinity' order by id;
delete from s2s.queue where due_at = 'infinity';
drop function backfill();
select count(*) from s2s.queue;
-- EXECUTE and USAGE are granted by the DBA; the queue itself stays closed.
create role backfill;
grant execute on function s2s.report_lead(text, text, s2s.click_id, text, text, text, bigint, text, jsonb) to backfill;
set role backfill;
select s2s.report_lead('games_nl', '2', 'c');
reset role;
grant usage on foreign server games_nl to backfill;
set role backfill;
select s2s.report_lead('games_nl', '2', 'c') is not null;
reset role;
-- An earlier callback that was sent and is parked holds the later ones of its transaction id.
update s2s.queue set due_at = 'infinity', attempts = 1, last_error = 'by hand' where transaction_id = '2';
select s2s.report_lead('games_nl', '2', 'c') is not null;
select status, held_by = (select min(id) from s2s.queue where transaction_id = '2') as held_by_first from s2s.callback where transaction_id = '2' order by id;
-- One that was cancelled on the wire is cancelled, whatever the answer was.
insert into s2s.attempt (callback_id, server, action, transaction_id, created_at, attempt, started_at, duration, verdict, message)
    select 0, 'games_nl', 'lead', 'cancelled', now(), attempt, now(), '1 s', verdict, message
    from (values (1, 'cancelled'::s2s.verdict, 'by hand'), (2, 'retry', 'HTTP 500')) a(attempt, verdict, message) order by attempt;
select id, status, attempts, last_error from s2s.callback where transaction_id = 'cancelled';
delete from s2s.attempt where callback_id = 0;
-- Indexes added by a DBA are served, too.
create index by_click on s2s.queue (click_id);
create index by_voucher on s2s.queue ((parameters->>'voucher_code')) where parameters ? 'voucher_code';
select s2s.report_lead('games_nl', '3', 'c3', voucher_code => 'V3') is not null;
set enable_seqscan = off;
select transaction_id from s2s.queue where click_id = 'c3';
select transaction_id from s2s.queue where parameters->>'voucher_code' = 'V3' and parameters ? 'voucher_code';
reset enable_seqscan;
drop index s2s.by_click, s2s.by_voucher;
-- Without the preload the worker is not running, and says how to have it.
select running, pid, in_flight, hint from s2s.worker_status();
select s2s.wait_until_idle('10ms');
select s2s.wake();
delete from s2s.queue;
select s2s.wait_until_idle('1ms');
drop owned by backfill;
drop role backfill;
drop server games_nl;
