-- What s2s.enabled = off leaves unreported, and who is warned of it.
create server games_nl foreign data wrapper tradetracker options (campaign_id '1234', product_id '56', click_ids 'any');
create table players (id int, click_id s2s.click_id);
create trigger report after insert on players for each row
    execute function s2s.report_lead('games_nl', 'transaction_id={id}');
create trigger report_all after insert on players referencing new table as new_rows for each statement
    execute function s2s.report_lead('games_nl', 'transaction_id=all-{id}');
-- A transaction that set it itself means it.
begin;
set local s2s.enabled = off;
insert into players values (1, 'c');
commit;
begin;
set s2s.enabled = off;
insert into players values (2, 'c');
savepoint s;
insert into players values (3, 'c');
rollback to s;
rollback;
create function restore(id int) returns void language sql set s2s.enabled = off as 'insert into players values (id, ''c'')';
select restore(4);
select count(*) from s2s.queue;
-- What is left over of an earlier one is warned of, once.
set s2s.enabled = off;
insert into players select id, 'c' from generate_series(5, 7) id;
insert into players values (8, 'c');
-- And again if it is set again.
begin;
set s2s.enabled = off;
insert into players values (9, 'c');
commit;
insert into players values (10, 'c');
insert into players values (11, 'c');
-- It is as it was after a rollback.
begin;
set local s2s.enabled = on;
insert into players values (12, 'c');
rollback;
insert into players values (13, 'c');
select count(*) from s2s.queue;
-- Whatever resets it turns it on.
discard all;
insert into players values (14, 'c');
select transaction_id from s2s.queue order by id;
-- Of a database, role or connection it is meant.
select format('alter database %I set s2s.enabled = off', current_database()) \gexec
\c
select s2s.url_encode('');
insert into players values (15, 'c');
set s2s.enabled = on;
insert into players values (16, 'c');
reset s2s.enabled;
insert into players values (17, 'c');
select format('alter database %I reset s2s.enabled', current_database()) \gexec
\c -reuse-previous=on "options='-c s2s.enabled=off'"
insert into players values (18, 'c');
\c -reuse-previous=on "options=''"
select transaction_id from s2s.queue order by id;
drop table players;
drop function restore(int);
delete from s2s.queue;
drop server games_nl;
