-- However rows get into a table, they are reported; and tables of all kinds can report.
create server games_nl foreign data wrapper tradetracker options (campaign_id '1234', product_id '56', click_ids 'any');
create table players (id int primary key, name text, click_id s2s.click_id);
create trigger report_row after insert on players for each row execute function s2s.report_lead('games_nl', 'transaction_id=inserted-{id}');
create trigger report_update after update on players for each row execute function s2s.report_lead('games_nl', 'transaction_id=updated-{id}');
create trigger report_statement after insert on players referencing new table as new_players for each statement
    execute function s2s.report_lead('games_nl', 'transaction_id=all-{id}');
create function queued() returns setof text language sql as $$ with gone as (delete from s2s.queue returning id, transaction_id) select transaction_id from gone order by id $$;
-- COPY
copy players from stdin;
1	J. Smith	0::12345::abc::::1405418672
2	J. Doe	\N
3	A. Miller	0%3A%3A12345%3A%3Adef%3A%3A%3A%3A1405418672
\.
select queued();
copy players from stdin;
4	two	fields	too many
\.
select queued();
-- ON CONFLICT
insert into players values (1, 'again', 'c'), (5, 'new', 'c') on conflict do nothing;
select queued();
insert into players values (1, 'again', 'c'), (6, 'new', 'c') on conflict (id) do update set name = excluded.name;
select queued();
-- MERGE
merge into players p using (values (1, 'merged'), (7, 'merged'), (3, null)) as s(id, name) on p.id = s.id
    when matched and s.name is null then delete
    when matched then update set name = s.name
    when not matched then insert values (s.id, s.name, 'c');
select queued();
-- WITH
with one as (insert into players values (8, 'with', 'c') returning id), two as (update players set name = 'with' where id = 7 returning id)
insert into players select id + 100, 'with', 'c' from one union all select id + 100, 'with', 'c' from two;
select queued();
-- SELECT INTO a table makes no rows that a trigger sees; INSERT … SELECT does.
insert into players select n, 'many', 'c' from generate_series(201, 203) n;
select queued();
-- Deferred constraint triggers fire at commit, with the row as it was then.
create table orders (id int, total numeric, click_id s2s.click_id);
create constraint trigger report_order after insert on orders deferrable initially deferred for each row
    execute function s2s.report_sale('games_nl', 'transaction_id={id}', 'amount={total}', 'currency=EUR');
begin;
insert into orders values (1, 10, 'c'), (2, 20, 'c');
update orders set total = 99 where id = 1;
select count(*) from s2s.queue;
savepoint s;
insert into orders values (3, 30, 'c');
rollback to s;
commit;
select transaction_id, parameters ->> 'amount' as amount from s2s.queue order by id;
select count(*) from queued();
begin;
insert into orders values (4, 40, 'c');
set constraints all immediate;
select queued();
rollback;
-- Savepoints, and errors that are caught.
begin;
insert into players values (301, 'kept', 'c');
savepoint s;
insert into players values (302, 'undone', 'c');
rollback to s;
insert into players values (303, 'kept', 'c');
release s;
do $$ begin
    insert into players values (304, 'undone', 'c');
    insert into players values (304, 'twice', 'c');
exception when unique_violation then null; end $$;
commit;
select queued();
-- Temporary and unlogged tables; a read-only transaction that writes to a temporary one.
create temporary table visitors (id int, click_id s2s.click_id);
create trigger report after insert on visitors for each row execute function s2s.report_lead('games_nl', 'transaction_id={id}');
insert into visitors values (1, 'c');
begin read only;
insert into visitors values (2, 'c');
commit;
select queued();
-- What only replicas write is not reported, unless it is asked for.
set session_replication_role = replica;
insert into players values (401, 'replicated', 'c');
select queued();
alter table players enable always trigger report_row;
insert into players values (402, 'replicated', 'c');
select queued();
alter table players enable replica trigger report_update;
update players set name = 'x' where id = 402;
select queued();
-- A dump may be restored so: what it holds is owed.
insert into s2s.queue (server, action, transaction_id, click_id, parameters) values ('games_nl', 'lead', 'restored', 'c', '{}');
select queued();
reset session_replication_role;
update players set name = 'y' where id = 402;
select queued();
-- Views have no rows of their own.
create view players_view as select * from players;
create trigger report instead of insert on players_view for each row execute function s2s.report_lead('games_nl', 'transaction_id={id}');
create trigger report after insert on players_view referencing new table as new_rows for each statement execute function s2s.report_lead('games_nl', 'transaction_id={id}');
create trigger report after insert on players_view for each statement execute function s2s.report_lead('games_nl', 'transaction_id={id}');
insert into players_view values (501, 'through the view', 'c');
select queued();
-- A function of ours that is called otherwise than by a trigger of the right kind.
create function wrong() returns trigger language plpgsql as $$ begin perform s2s.report_lead(); return null; end $$;
create trigger wrong after insert on orders for each row execute function wrong();
insert into orders values (9, 9, 'c');
drop table players, orders, visitors cascade;
drop function wrong();
drop function queued();
drop server games_nl;
