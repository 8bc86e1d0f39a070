-- Partitioned tables, attached and detached partitions, inheritance.
create server games_nl foreign data wrapper tradetracker options (campaign_id '1234', product_id '56', click_ids 'any');
create table orders (id int, region text, total numeric, click_id s2s.click_id) partition by list (region);
create trigger report_row after insert on orders for each row
    execute function s2s.report_sale('games_nl', 'transaction_id=row-{id}-{region}', 'amount={total}', 'currency=EUR');
create trigger report_statement after insert on orders referencing new table as new_orders for each statement
    execute function s2s.report_sale('games_nl', 'transaction_id=statement-{id}-{region}', 'amount={total}', 'currency=EUR');
create table orders_eu partition of orders for values in ('eu');
-- The columns of this one are in another order, with a dropped one between them.
create table orders_us (click_id s2s.click_id, gone int, total numeric, id int, region text);
alter table orders_us drop column gone;
alter table orders attach partition orders_us for values in ('us');
insert into orders values (1, 'eu', 10, 'c-1'), (2, 'us', 20, 'c-2');
-- Into a partition by name: its row trigger fires, the statement trigger of the parent does not.
insert into orders_us values ('c-3', 30, 3, 'us');
select transaction_id, click_id, parameters from s2s.queue order by id;
-- A detached partition has no trigger any more.
alter table orders detach partition orders_us;
delete from s2s.queue;
insert into orders_us values ('c-4', 40, 4, 'us');
insert into orders values (5, 'eu', 50, 'c-5');
select transaction_id, click_id, parameters from s2s.queue order by id;
-- A column that the trigger reads keeps its name, in partitions as well.
alter table orders rename column total to sum;
alter table orders_eu rename column total to sum;
-- A row that moves to another partition is an insert there, as PostgreSQL has it.
alter table orders attach partition orders_us for values in ('us');
delete from s2s.queue;
update orders set region = 'us' where id = 5;
select transaction_id, click_id, parameters from s2s.queue order by id;
delete from s2s.queue;
-- The preview looks at all partitions.
select row_data ->> 'id' as id, url, problem from s2s.preview('orders', 'report_row', null) order by 1;
select row_data ->> 'id' as id, url, problem from s2s.preview('orders_us', 'report_row', null) order by 1;
drop table orders;
-- Inheritance: a row trigger is the parent's alone, a statement trigger sees the children's rows.
create table parent (id int, click_id s2s.click_id);
create table child (extra text) inherits (parent);
create trigger report_row after insert or update on parent for each row execute function s2s.report_lead('games_nl', 'transaction_id=row-{id}');
create trigger report_statement after update on parent referencing new table as new_rows for each statement
    execute function s2s.report_lead('games_nl', 'transaction_id=statement-{id}');
insert into parent values (1, 'c');
insert into child values (2, 'c', 'x');
update parent set id = id + 10;
select transaction_id, click_id, parameters from s2s.queue order by id;
select row_data, problem from s2s.preview('parent', 'report_row', null);
delete from s2s.queue;
drop table parent cascade;
drop server games_nl;
