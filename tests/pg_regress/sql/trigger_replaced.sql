-- A trigger that is replaced reports as it is from there on, also within the database transaction.
create server one foreign data wrapper tradetracker options (campaign_id '1', product_id '1', click_ids 'any');
create server two foreign data wrapper tradetracker options (campaign_id '2', product_id '2', click_ids 'any');
create table players (id bigint, click_id s2s.click_id);
create trigger report after insert on players for each row
    execute function s2s.report_lead('one', 'transaction_id={id}');
create function replace_and_insert() returns void language plpgsql as $$ begin
    insert into players values (1, 'c');
    create or replace trigger report after insert on players for each row
        execute function s2s.report_lead('two', 'transaction_id=two-{id}');
    insert into players values (2, 'c');
    create or replace trigger report after insert on players for each row
        execute function s2s.report_sale('two', 'transaction_id=sale-{id}', 'amount=1', 'currency=EUR');
    insert into players values (3, 'c');
end $$;
begin;
select replace_and_insert();
create or replace trigger report after insert on players for each row
    execute function s2s.report_lead('one', 'transaction_id=one-{id}');
insert into players values (4, 'c');
create constraint trigger later after insert on players deferrable initially deferred for each row
    execute function s2s.report_lead('one', 'transaction_id=later-{id}');
insert into players values (5, 'c');
drop trigger later on players;
create constraint trigger later after insert on players deferrable initially deferred for each row
    execute function s2s.report_lead('two', 'transaction_id=later-{id}');
insert into players values (6, 'c');
savepoint s;
create or replace trigger report after insert on players for each row
    execute function s2s.report_lead('two', 'transaction_id=undone-{id}');
insert into players values (7, 'c');
rollback to s;
insert into players values (8, 'c');
commit;
select server, action, transaction_id from s2s.queue order by id;
delete from s2s.queue;
-- Within the statement that fires it.
create function replacing() returns trigger language plpgsql as $$ begin
    create or replace trigger report after insert on players for each row
        execute function s2s.report_lead('two', 'transaction_id=late-{id}');
    return null;
end $$;
drop trigger later on players;
create trigger a_replacing after insert on players for each row when (new.id = 10) execute function replacing();
insert into players values (9, 'c'), (10, 'c'), (11, 'c');
insert into players values (12, 'c');
select server, action, transaction_id from s2s.queue order by id;
delete from s2s.queue;
-- Of partitions: the copies report alike, whatever the columns' order, and those with the same order
-- have one plan.
\c -
create table orders (id int, note text, total numeric, click_id s2s.click_id) partition by list (id);
create table p1 partition of orders for values in (1);
create table p2 (click_id s2s.click_id, gone int, total numeric, id int, note text);
alter table p2 drop column gone;
alter table orders attach partition p2 for values in (2);
create table p3 partition of orders for values in (3);
create view plans as select count(*) from pg_backend_memory_contexts where name = 's2s trigger';
create trigger report after insert on orders for each row
    execute function s2s.report_sale('one', 'transaction_id={id}', 'amount={total}', 'currency=EUR', 'description_merchant={note}');
insert into orders select id, 'note ' || id, 10 * id, 'c' || id from generate_series(1, 3) id;
select * from plans;
alter table p3 rename to third;
begin;
create or replace trigger report after insert on orders for each row
    execute function s2s.report_sale('two', 'transaction_id={id}', 'amount={total}', 'currency=EUR', 'description_merchant={note}');
insert into orders select id, 'note ' || id, 10 * id, 'c' || id from generate_series(1, 3) id;
commit;
select * from plans;
alter server two options (set product_id '3');
insert into orders select id, 'note ' || id, 10 * id, 'c' || id from generate_series(1, 3) id;
select * from plans;
set s2s.on_invalid_row = error;
insert into orders values (3, 'x', -1, 'c');
insert into orders values (1, 'x', -1, 'c');
reset s2s.on_invalid_row;
alter table orders detach partition third;
alter table third alter note type int using 7;
alter table third add constraint third check (true);
create trigger own after insert on third for each row
    execute function s2s.report_sale('one', 'transaction_id={id}', 'amount={total}', 'currency=EUR', 'description_merchant={note}');
insert into third values (4, 44, 1, 'c');
select server, transaction_id, click_id, parameters ->> 'amount' as amount, parameters ->> 'description_merchant' as note from s2s.queue order by id;
