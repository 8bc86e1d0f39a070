-- A command that breaks a trigger by a change of columns is refused with the trigger's name, however
-- the column is reached. No other command is.
create server games_nl foreign data wrapper tradetracker options (campaign_id '1234', product_id '56', click_ids 'any');
\pset format unaligned
\pset tuples_only on

-- A parent's column, where the trigger is the child's.
create table parent (id int, total numeric, click_id s2s.click_id);
create table child () inherits (parent);
create table grandchild () inherits (child);
create trigger report after insert on grandchild for each row
    execute function s2s.report_sale('games_nl', 'transaction_id={id}', 'currency=EUR', 'amount={total}');
select refusal(command) from (values
    ('alter table parent rename column total to sum'),
    ('alter table parent rename total to sum'),
    ('alter table parent drop column total'),
    ('alter table parent drop column click_id'),
    ('alter table parent add column c2 s2s.click_id'),
    ('alter table parent add column c2 int, add column c3 s2s.click_id'),
    ('alter table parent alter column click_id type text'),
    -- All that the trigger does not read.
    ('alter table parent add column note text'),
    ('alter table parent rename column note to remark'),
    ('alter table parent alter column total type text'),
    ('alter table parent drop column remark'),
    ('alter table only grandchild add column note text')
) t(command);
-- With ONLY a child keeps its column.
select refusal('alter table only parent drop column total');
set client_min_messages = warning;
drop table parent cascade;
reset client_min_messages;

-- A partitioned table's column, where the trigger is the partition's own.
create table orders (id int, region text, total numeric, click_id s2s.click_id) partition by list (region);
create table orders_eu partition of orders for values in ('eu');
create trigger report after insert on orders_eu for each row
    execute function s2s.report_sale('games_nl', 'transaction_id={id}', 'currency=EUR', 'amount={total}');
select refusal(command) from (values
    ('alter table orders rename column total to sum'),
    ('alter table orders drop column total'),
    ('alter table orders add column c2 s2s.click_id')
) t(command);
drop trigger report on orders_eu;
-- The partitions' copies of a trigger fire although it is disabled for the parent itself.
create trigger report after insert on orders for each row
    execute function s2s.report_sale('games_nl', 'transaction_id={id}', 'currency=EUR', 'amount={total}');
select refusal('alter table orders rename column total to sum');
alter table only orders disable trigger report;
select refusal('alter table orders rename column total to sum');
alter table orders_eu disable trigger report;
select refusal('alter table orders rename column total to sum');
drop table orders;

-- PostgreSQL renames a table's column by other commands, too.
create schema shop;
create table shop."My orders" (id int, total numeric, click_id s2s.click_id);
create trigger "Report" after insert on shop."My orders" for each row
    execute function s2s.report_sale('games_nl', 'transaction_id={id}', 'currency=EUR', 'amount={total}');
select refusal(command) from (values
    ('alter view shop."My orders" rename column total to sum'),
    ('alter materialized view shop."My orders" rename column total to totals'),
    ('alter foreign table shop."My orders" rename column total to sum'),
    ('alter type shop."My orders" rename attribute total to sum'),
    ('alter index shop."My orders" rename column total to sum'),
    ('alter sequence shop."My orders" rename column total to sum')
) t(command);
drop schema shop cascade;

-- A typed table has its columns from its type.
create type order_type as (id int, total numeric, click_id s2s.click_id);
create table orders of order_type;
create trigger report after insert on orders for each row
    execute function s2s.report_sale('games_nl', 'transaction_id={id}', 'currency=EUR', 'amount={total}');
select refusal(command) from (values
    ('alter type order_type rename attribute total to sum cascade'),
    ('alter type order_type drop attribute total cascade'),
    ('alter type order_type add attribute c2 s2s.click_id cascade'),
    ('alter type order_type alter attribute click_id type text cascade'),
    ('alter type order_type add attribute note text cascade'),
    ('alter type order_type rename attribute note to remark cascade'),
    ('alter type order_type drop attribute remark cascade')
) t(command);
drop type order_type cascade;

-- What is dropped along with something else: a warning.
create domain amt as numeric;
create type status as enum ('new');
create function twice(numeric) returns numeric language sql immutable as 'select $1 * 2';
create domain click as s2s.click_id;
create table orders (
    id int, total amt, kind status, base numeric, double numeric generated always as (twice(base)) stored, click_id click);
create trigger report_total after insert on orders for each row
    execute function s2s.report_sale('games_nl', 'transaction_id={id}', 'currency=EUR', 'amount={total}');
create trigger report_kind after insert on orders for each row
    execute function s2s.report_sale('games_nl', 'transaction_id={id}-{kind}', 'currency=EUR', 'amount={base}');
create trigger report_double after insert on orders for each row
    execute function s2s.report_sale('games_nl', 'transaction_id={id}', 'currency=EUR', 'amount={double}');
create table drafts (id int, click_id click);
create trigger report after insert on drafts for each row execute function s2s.report_lead('games_nl', 'transaction_id={id}');
alter table drafts disable trigger report;
set client_min_messages = warning;
drop domain amt cascade;
drop trigger report_total on orders;
drop function twice cascade;
drop trigger report_double on orders;
begin;
drop type status cascade;
rollback;
create schema types;
alter type status set schema types;
drop schema types cascade;
drop trigger report_kind on orders;
create trigger report after insert on orders for each row execute function s2s.report_lead('games_nl', 'transaction_id={id}');
drop domain click cascade;
drop table drafts, orders;
-- A column that goes with a table, and one that goes along with its table.
create table account (id int);
create table orders (id int, buyer account, click_id s2s.click_id);
create trigger report after insert on orders for each row execute function s2s.report_lead('games_nl', 'transaction_id={id}-{buyer}');
drop table account;
drop table account cascade;
create role leaving;
create schema gone authorization leaving;
create domain gone.amt as numeric;
alter domain gone.amt owner to leaving;
create table gone.orders (id int, total gone.amt, click_id s2s.click_id);
create trigger report after insert on gone.orders for each row execute function s2s.report_lead('games_nl', 'transaction_id={id}-{total}');
alter table orders add column total gone.amt;
create trigger report_total after insert on orders for each row execute function s2s.report_lead('games_nl', 'transaction_id={id}-{total}');
alter table orders disable trigger report;
drop owned by leaving cascade;
drop role leaving;
drop table orders;
reset client_min_messages;

-- What is broken already blocks nothing.
create table orders (id int, total numeric, currency text, click_id s2s.click_id);
create trigger report after insert on orders for each row
    execute function s2s.report_sale('games_nl', 'transaction_id={id}', 'currency=EUR', 'amount={total}');
create trigger report_too after insert on orders for each row
    execute function s2s.report_sale('games_nl', 'transaction_id={id}', 'currency={currency}', 'amount={total}');
alter table orders disable trigger all;
alter table orders rename column total to sum;
alter table orders alter column id set not null;
-- As `pg_restore --data-only --disable-triggers` does.
alter table orders enable trigger all;
select tgname, tgenabled from pg_trigger where tgrelid = 'orders'::regclass order by 1;
select refusal(command) from (values
    ('alter table orders set (fillfactor = 90)'),
    ('alter table orders alter column sum set statistics 10'),
    ('alter table orders alter column sum set not null'),
    ('alter table orders alter column sum set default 0'),
    ('alter table orders owner to current_user'),
    ('alter table orders add primary key (id)'),
    ('alter table orders rename constraint orders_pkey to orders_key'),
    ('alter table orders rename to purchases'),
    ('alter table purchases rename to orders'),
    ('alter table orders disable trigger report_too')
) t(command);
-- A change of columns says so, and is done.
alter table orders add column note text;
alter table orders rename column note to remark;
-- The other one is broken by the command.
alter table orders enable trigger report_too;
alter table orders rename column sum to total;
alter table orders disable trigger report;
alter table orders rename column currency to money;
alter table orders drop column total;
-- The way that the hint shows.
begin;
alter table orders disable trigger report_too;
alter table orders rename column total to sum;
create or replace trigger report_too after insert on orders for each row
    execute function s2s.report_sale('games_nl', 'transaction_id={id}', 'currency={currency}', 'amount={sum}');
select tgname, tgenabled from pg_trigger where tgrelid = 'orders'::regclass order by 1;
insert into orders (id, sum, currency, click_id) values (1, 5, 'EUR', 'c');
select transaction_id, parameters from s2s.queue;
-- What was right before the command, not before the transaction; in functions as well.
alter table orders add column total numeric;
alter table orders enable trigger report;
savepoint before;
alter table orders rename column total to amount;
rollback to before;
do $$ begin
    alter table orders disable trigger report;
    alter table orders rename column total to amount;
    alter table orders enable trigger report;
    alter table orders add column note2 text;
    execute 'alter table orders rename column amount to total';
    execute 'alter table orders rename column total to amount';
end $$;
rollback;
drop table orders;
\pset format aligned
\pset tuples_only off
drop server games_nl;
