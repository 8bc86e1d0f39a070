-- What a trigger would send for rows that are there already.
create server games_nl foreign data wrapper tradetracker options (campaign_id '1234', product_id '56', click_ids 'any');
create server lt_eu foreign data wrapper linktrust options (url 'https://track.example.com');
create user mapping for public server lt_eu options (password 's3cret');
create table orders (id int, gone int, total numeric, status text, click_id s2s.click_id);
alter table orders drop column gone;
insert into orders values
    (1, 49.9, 'paid', '0::12345::reference::::1405418672'), (2, 12345678901234567890.5, 'cancelled', 'c'),
    (3, -1, 'paid', 'c'), (4, 4, 'cancelled', null);
create trigger report_order after insert on orders for each row
    execute function s2s.report_sale('games_nl', 'transaction_id={id}', 'amount={total}', 'currency=EUR');
create trigger big_order after insert on orders for each row when (new.total > 10)
    execute function s2s.report_sale('games_nl', 'transaction_id={id}', 'amount={total}', 'currency=EUR');
create trigger order_cancelled after update of status on orders for each row
    when (new.status = 'cancelled' and old.status is distinct from new.status)
    execute function s2s.edit_transaction('lt_eu', 'transaction_id=T-{id}', 'approved=no');
create trigger all_orders after insert on orders referencing new table as new_orders for each statement
    execute function s2s.report_sale('games_nl', 'transaction_id={id}', 'amount={total}', 'currency=EUR');
create function nothing() returns trigger language plpgsql as 'begin return null; end';
create trigger not_ours after insert on orders for each row execute function nothing();
\pset format unaligned
select * from s2s.preview('orders', 'report_order');
select row_data ->> 'id' as id, url from s2s.preview('orders', 'big_order');
select row_data ->> 'id' as id, url from s2s.preview('orders', 'order_cancelled');
select row_data ->> 'id' as id, url, problem from s2s.preview('orders', 'all_orders', 2);
select row_data ->> 'id' as id from s2s.preview("table" => 'orders', trigger_name => 'report_order', row_limit => null);
select count(*) from s2s.preview('orders', 'report_order', 0);
select count(*) from s2s.preview(null, 'report_order');
select * from s2s.preview('orders', 'report_order', -1);
select * from s2s.preview('orders', 'report_orders');
select * from s2s.preview('orders', 'not_ours');
select * from s2s.preview('pg_class', 'report_order');
select count(*) from s2s.queue;
-- As the user: who may not read the table, or not use the server, sees nothing.
create role analyst;
set role analyst;
select * from s2s.preview('orders', 'report_order');
reset role;
grant usage on foreign server games_nl to analyst;
set role analyst;
select * from s2s.preview('orders', 'report_order');
reset role;
grant select on orders to analyst;
alter table orders enable row level security;
create policy one_order on orders using (id = 1);
set role analyst;
select row_data ->> 'id' as id, url from s2s.preview('orders', 'report_order');
reset role;
-- Names that have to be quoted.
create schema "Odd ""schema";
create table "Odd ""schema"."Table; select" ("r" int, "Id {x" text, click_id s2s.click_id);
create trigger "Odd ""trigger" after insert on "Odd ""schema"."Table; select" for each row
    execute function s2s.report_lead('games_nl', 'transaction_id={r}');
insert into "Odd ""schema"."Table; select" values (1, 'x', 'c');
select * from s2s.preview('"Odd ""schema"."Table; select"', 'Odd "trigger');
-- Children: a row trigger is not theirs, and no insert into the table comes to them. An update does.
create table family (id int, click_id s2s.click_id);
create table child (extra text) inherits (family);
create trigger each_row after insert or update on family for each row
    execute function s2s.report_lead('games_nl', 'transaction_id={id}');
create trigger all_new after insert on family referencing new table as new_rows for each statement
    execute function s2s.report_lead('games_nl', 'transaction_id={id}');
create trigger all_changed after update on family referencing new table as new_rows for each statement
    execute function s2s.report_lead('games_nl', 'transaction_id=changed-{id}');
insert into family values (1, 'c');
insert into child values (2, 'c', 'x');
delete from s2s.queue;
update family set id = id;
select transaction_id from s2s.queue order by id;
select row_data ->> 'id' as id from s2s.preview('family', 'each_row');
select row_data ->> 'id' as id from s2s.preview('family', 'all_new');
select row_data, url is not null as is_sent from s2s.preview('family', 'all_changed');
-- Partitions: their rows are the table's.
create table parted (id int, click_id s2s.click_id) partition by list (id);
create table part_1 (click_id s2s.click_id, id int);
alter table parted attach partition part_1 for values in (1);
create table part_2 partition of parted for values in (2);
create trigger not_of_one after insert on parted for each row when (new.tableoid <> 'part_1'::regclass)
    execute function s2s.report_lead('games_nl', 'transaction_id={id}');
insert into parted values (1, 'c'), (2, 'c');
select row_data, url is not null as is_sent from s2s.preview('parted', 'not_of_one');
-- System columns are not those of a row that was read.
create trigger by_xmin after insert on family for each row when (new.xmin <> '5')
    execute function s2s.report_lead('games_nl', 'transaction_id={id}');
create trigger by_old after update on family for each row when (old.ctid <> new.ctid)
    execute function s2s.report_lead('games_nl', 'transaction_id={id}');
create trigger by_table after update on family for each row when (new.tableoid = 'family'::regclass and old is distinct from new)
    execute function s2s.report_lead('games_nl', 'transaction_id={id}');
select * from s2s.preview('family', 'by_xmin');
select row_data ->> 'id' as id, url, problem from s2s.preview('family', 'by_old');
select row_data ->> 'id' as id, url is not null as is_sent, problem from s2s.preview('family', 'by_table');
-- More rows than are read at once.
create table many (id int, click_id s2s.click_id, long text);
create sequence looked_at;
create trigger every after insert on many for each row
    execute function s2s.report_lead('games_nl', 'transaction_id={id}', 'description={long}');
set s2s.enabled = off;
insert into many select id, 'c', repeat('x', id) from generate_series(1, 250) id;
insert into many select id, 'c', repeat('ä', 100000) from generate_series(251, 260) id;
reset s2s.enabled;
select count(*), count(distinct row_data ->> 'id'), count(url), count(problem), max(length(row_data ->> 'long'))
from s2s.preview('many', 'every', null);
select count(*), max((row_data ->> 'id')::int) from s2s.preview('many', 'every', 100);
select count(*), max((row_data ->> 'id')::int) from s2s.preview('many', 'every', 101);
-- It can be cancelled at any row.
create trigger cancelled after insert on many for each row
    when (nextval('looked_at') <> 150 or pg_cancel_backend(pg_backend_pid()))
    execute function s2s.report_lead('games_nl', 'transaction_id={id}');
select count(*) from s2s.preview('many', 'cancelled', null);
select last_value from looked_at;
delete from s2s.queue;
drop table many, parted, child, family;
drop sequence looked_at;
-- A trigger that cannot work any more says why.
delete from s2s.queue;
drop server lt_eu cascade;
select row_data ->> 'id' as id, url, problem from s2s.preview('orders', 'order_cancelled', 2);
drop schema "Odd ""schema" cascade;
drop table orders;
drop function nothing();
drop server games_nl;
drop role analyst;
