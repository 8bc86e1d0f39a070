-- Row triggers: what a row becomes in the queue.
create server games_nl foreign data wrapper tradetracker options (campaign_id '1234', product_id '56', click_ids 'any');
create view queued as
select server, action, transaction_id, click_id, parameters, due_at = 'infinity' as parked, attempts, last_error
from s2s.queue order by id;

create table players (id bigint primary key, name text, tt_click_id s2s.click_id);
create trigger report_player after insert on players
    for each row execute function s2s.report_lead('games_nl', 'transaction_id={id}', 'description=new player');
insert into players values
    (111, 'J. Smith', '0::12345::abc::::1405418672'),
    (112, 'J. Doe', '12::54321::def::::1405419867'),
    (113, 'organic', null);
begin;
insert into players values (114, 'rolled back', '12::54321::def::::1405419867');
savepoint s;
insert into players values (115, 'rolled back', '12::54321::def::::1405419867');
rollback to s;
rollback;
select * from queued;
select created_at <= due_at, created_at <= now(), id > 0 from s2s.queue;
delete from s2s.queue;

-- Sales, updates, WHEN, constants, braces, an explicit click id.
create table orders (
    "order no" int primary key, total numeric(12, 3), currency char(3), voucher text, came_with text, paid boolean default false
);
create trigger report_order after insert or update of paid on orders for each row when (new.paid)
    execute function s2s.report_sale('games_nl', 'transaction_id=W-{order no}', 'amount={total}', 'currency={currency}',
        'voucher_code={voucher}', 'click_id={came_with}', 'description_merchant={{{order no}}} {currency}', 'product_id=77');
insert into orders values (1, 49.9, 'EUR', 'SUMMER 10%', '0::12345::reference::::1405418672', true);
insert into orders values (2, 10, 'eur', null, '0%3A%3A12345%3A%3Areference%3A%3A%3A%3A1405418672');
select * from queued;
update orders set paid = true where not paid;
insert into orders values (3, 5, 'EUR', 'SUMMER', null, true), (4, 5, 'EUR', '', '', true);
insert into orders values (1, 2, 'EUR', 'V', 'c', true)
    on conflict ("order no") do update set total = excluded.total, paid = false;
select * from queued;
delete from s2s.queue;

-- What cannot be sent is parked with its reason; the statement succeeds.
set client_min_messages = log;
insert into orders values
    (5, -1, 'EUR', null, 'c', true), (6, 1, 'XYZ', null, 'c', true), (7, 1, 'EUR', null, 'a b', true),
    (8, null, 'EUR', null, 'c', true), (9, 'NaN', 'EUR', null, 'c', true), (10, 1, null, null, 'c', true);
reset client_min_messages;
select * from queued;
delete from s2s.queue;
set s2s.on_invalid_row = error;
insert into orders values (11, -1, 'EUR', null, 'c', true);
reset s2s.on_invalid_row;
set s2s.on_invalid_row = ignore;
set s2s.enabled = off;
insert into orders values (12, 1, 'EUR', null, 'c', true);
reset s2s.enabled;
select * from queued;

-- An id that is too long for an index is parked, too.
create table long_ids (id text, click_id s2s.click_id);
create trigger report after insert on long_ids for each row
    execute function s2s.report_lead('games_nl', 'transaction_id={id}');
insert into long_ids select string_agg(md5(n::text), ''), 'c' from generate_series(1, 300) n;
select length(transaction_id), length(parameters->>'transaction_id'), last_error like 'invalid transaction_id: %It has 9600 bytes; at most 512 are allowed.' as said from queued;
delete from s2s.queue;
drop table long_ids;
create temp table scratch (id int, click_id s2s.click_id);
create trigger report after insert on scratch for each row
    execute function s2s.report_lead('games_nl', 'transaction_id={id}');
begin read only;
insert into scratch values (1, 'c');
commit;
select * from queued;
-- What was written before the transaction became read-only is reported.
create table late (id int, click_id s2s.click_id);
create constraint trigger report after insert on late deferrable initially deferred for each row
    execute function s2s.report_lead('games_nl', 'transaction_id={id}');
begin;
insert into late values (1, 'c');
set transaction read only;
commit;
select transaction_id from s2s.queue;
delete from s2s.queue;
drop table late;
-- A server that is gone does not fail the user's statement either; nor does one that is no network's.
drop server games_nl cascade;
insert into orders values (13, 1, 'EUR', null, 'c', true);
select * from queued;
delete from s2s.queue;
create server games_nl foreign data wrapper tradetracker options (campaign_id '1234', product_id '56', click_ids 'any');
insert into orders values (14, 1, 'EUR', null, 'c', true);
select * from queued;
delete from s2s.queue;
delete from orders where "order no" = 14;
create or replace trigger report_order after insert or update of paid on orders for each row when (new.paid)
    execute function s2s.report_sale('games_nl', 'transaction_id=W-{order no}', 'amount={total}', 'currency={currency}',
        'voucher_code={voucher}', 'click_id={came_with}', 'description_merchant={{{order no}}} {currency}', 'product_id=77');
insert into orders values (14, 1, 'EUR', null, 'c', true);
alter table orders rename came_with to click;
select * from queued;
delete from s2s.queue;

-- The inserting role needs no rights in s2s.
create role shop;
grant insert, select, update on orders, players to shop;
set role shop;
insert into orders values (15, 1, 'EUR', null, 'c', true);
select * from s2s.queue;
select * from s2s.attempt;
insert into s2s.queue (server, action, transaction_id, parameters) values ('games_nl', 'lead', '1', '{}');
select s2s.report_lead('games_nl', '1', 'c');
select s2s.wake();
select running, last_error from s2s.worker_status();
reset role;
select * from queued;
delete from s2s.queue;

-- Partitions and children.
create table sales (id int, region text, total numeric, click_id s2s.click_id) partition by list (region);
create table sales_north (click_id s2s.click_id, total numeric, id int, region text);
create trigger report_sale after insert on sales for each row
    execute function s2s.report_sale('games_nl', 'transaction_id={region}{id}', 'amount={total}', 'currency=EUR');
alter table sales attach partition sales_north for values in ('north');
create table sales_south partition of sales for values in ('south');
insert into sales values (1, 'north', 5, 'c1'), (2, 'south', 6, 'c2');
select * from queued;
drop table sales, players, orders;
drop owned by shop;
drop role shop;
drop view queued;
delete from s2s.queue;
drop server games_nl;
