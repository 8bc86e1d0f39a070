-- Statement triggers: every row of the transition table is queued, in its order.
create server games_nl foreign data wrapper tradetracker options (campaign_id '1234', product_id '56', click_ids 'any');
create server lt_eu foreign data wrapper linktrust options (url 'https://track.example.com');
create table orders (id int primary key, total numeric, currency text, voucher text, status text, click_id s2s.click_id);
-- Without the new rows there is nothing to report.
create trigger report_orders after insert on orders
    for each statement execute function s2s.report_sale('games_nl', 'transaction_id={id}', 'amount={total}', 'currency={currency}');
create trigger report_orders after update on orders referencing old table as old_orders
    for each statement execute function s2s.report_sale('games_nl', 'transaction_id={id}', 'amount={total}', 'currency={currency}');
create trigger report_orders after delete on orders referencing old table as old_orders
    for each statement execute function s2s.report_sale('games_nl', 'transaction_id={id}', 'amount={total}', 'currency={currency}');
create trigger report_orders after insert on orders referencing new table as new_orders
    for each statement execute function s2s.report_sale('games_nl', 'transaction_id={id}', 'amount={total}', 'curency={currency}');
create trigger report_orders after insert on orders referencing new table as new_orders
    for each statement execute function s2s.report_sale('games_nl', 'transaction_id={id}', 'amount={total}', 'currency={currency}', 'voucher_code={voucher}');
create trigger edit_orders after update on orders referencing new table as new_orders
    for each statement execute function s2s.edit_transaction('lt_eu', 'transaction_id={id}', 'approved=no');

insert into orders values
    (1, 49.9, 'EUR', null, 'new', '0::12345::reference::::1405418672'),
    (2, 5, 'usd', 'SUMMER', 'new', null),
    (3, 5, 'EUR', null, 'new', null),
    (4, -1, 'EUR', null, 'new', 'c'),
    (5, 1, 'EURO', null, 'new', 'c');
insert into orders select 6, 1, 'EUR', null, 'new', 'c' where false;
update orders set status = 'cancelled' where id < 3;
select server, action, transaction_id, click_id, parameters, due_at = 'infinity' as parked, last_error from s2s.queue order by id;
-- All of a statement's callbacks are queued in the statement, each with an id of its own.
delete from s2s.queue;
insert into orders select n, n, 'EUR', null, 'new', '0::12345::' || n || '::::1405418672' from generate_series(1001, 5500) n;
select count(*), count(distinct id), min(transaction_id::int), max(transaction_id::int),
       bool_and(transaction_id::int - 1001 = id - first) as in_order
from (select *, min(id) over () as first from s2s.queue) q;
select transaction_id, click_id, parameters from s2s.queue where transaction_id in ('1001', '3333', '5500') order by id;
-- By index, too.
set enable_seqscan = off;
set enable_bitmapscan = off;
explain (costs off) select count(*) from s2s.queue where server = 'games_nl' and due_at <= now();
select count(*) from s2s.queue where server = 'games_nl' and due_at <= now();
reset enable_seqscan;
reset enable_bitmapscan;
-- Rows that are larger than what is held back at once.
delete from s2s.queue;
insert into orders select n, 1, 'EUR', repeat(md5(n::text), 1900), 'new', 'c' from generate_series(6001, 6040) n;
select count(*), min(length(parameters ->> 'voucher_code')), max(length(parameters ->> 'voucher_code')) from s2s.queue;
-- What is rolled back is not queued; an invalid row raises an error if it is to.
delete from s2s.queue;
begin;
insert into orders select n, 1, 'EUR', null, 'new', 'c' from generate_series(7001, 7010) n;
savepoint s;
insert into orders select n, 1, 'EUR', null, 'new', 'c' from generate_series(7011, 7020) n;
rollback to s;
insert into orders select n, 1, 'EUR', null, 'new', 'c' from generate_series(7021, 7025) n;
commit;
set s2s.on_invalid_row = error;
insert into orders values (8001, 1, 'EUR', null, 'new', 'c'), (8002, null, 'EUR', null, 'new', 'c');
reset s2s.on_invalid_row;
set s2s.enabled = off;
insert into orders values (8003, 1, 'EUR', null, 'new', 'c');
reset s2s.enabled;
select count(*), min(transaction_id), max(transaction_id) from s2s.queue;
-- Other triggers read the same rows.
create table log (n bigint, total numeric);
create function log_orders() returns trigger language plpgsql as $$ begin insert into log select count(*), sum(total) from new_orders; return null; end $$;
create trigger a_log after insert on orders referencing new table as new_orders for each statement execute function log_orders();
create trigger z_log after insert on orders referencing new table as new_orders for each statement execute function log_orders();
create trigger report_again after insert on orders referencing new table as other_name
    for each statement execute function s2s.report_lead('games_nl', 'transaction_id=again-{id}');
delete from s2s.queue;
insert into orders select n, 1, 'EUR', null, 'new', 'c' from generate_series(9001, 9003) n;
select * from log;
select action, transaction_id from s2s.queue order by id;
-- An index that somebody added is kept up, and one that is dropped is not missed.
create index added on s2s.queue ((parameters ->> 'amount')) where action = 'sale';
insert into orders values (9101, 77, 'EUR', null, 'new', 'c');
set enable_seqscan = off;
select transaction_id from s2s.queue where parameters ->> 'amount' = '77' and action = 'sale';
reset enable_seqscan;
drop index s2s.added;
insert into orders values (9102, 78, 'EUR', null, 'new', 'c');
alter table s2s.queue add column note text;
insert into orders values (9103, 79, 'EUR', null, 'new', 'c');
alter table s2s.queue drop column note;
insert into orders values (9104, 80, 'EUR', null, 'new', 'c');
select transaction_id, parameters, last_error from s2s.queue where action = 'sale' and transaction_id > '91' order by id;
-- What changes the table beyond that is refused before anything is written.
alter table s2s.queue add column must text not null default 'x';
insert into orders values (9105, 81, 'EUR', null, 'new', 'c');
alter table s2s.queue drop column must;
alter table s2s.queue add constraint twice unique (id, server) deferrable;
insert into orders values (9105, 81, 'EUR', null, 'new', 'c');
alter table s2s.queue drop constraint twice;
-- What a nested statement queues first is due first.
delete from s2s.queue;
create table steps (id int, click_id s2s.click_id);
create function step() returns trigger language plpgsql as $$ begin
    perform pg_sleep(0.005);
    if new.id < 10 then insert into steps values (new.id * 10, 'c'); end if;
    return null;
end $$;
create trigger a_step after insert on steps for each row execute function step();
create trigger report after insert on steps for each row execute function s2s.report_lead('games_nl', 'transaction_id={id}');
insert into steps values (1, 'c'), (2, 'c'), (3, 'c');
select string_agg(transaction_id, ' ' order by id) as queued, string_agg(transaction_id, ' ' order by due_at, id) as due from s2s.queue;
-- Values that are too long to be sent are parked without most of them.
delete from s2s.queue;
insert into orders values (9106, 1, 'EUR', repeat('é', 100000), 'new', 'c');
select transaction_id, length(parameters ->> 'voucher_code'), last_error from s2s.queue;
drop table steps;
drop function step();
drop table orders, log cascade;
drop function log_orders();
delete from s2s.queue;
drop server games_nl;
drop server lt_eu;
