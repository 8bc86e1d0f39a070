-- An id is never used twice, whatever becomes of the sequence.
create server games_nl foreign data wrapper tradetracker options (campaign_id '1234', product_id '56', click_ids 'any');
create table players (id int, click_id s2s.click_id);
create trigger report after insert on players for each row execute function s2s.report_lead('games_nl', 'transaction_id={id}');
create table used (id bigint primary key, what text);
create role writer;
grant insert on players to writer;
create procedure queue_one(what text) language plpgsql as $$
begin
    set local role writer;
    insert into players values (1, 'c');
    reset role;
    insert into used select max(id), what from s2s.queue;
end $$;
-- Ids count from the microseconds since 1970.
call queue_one('the first');
select id between 1000000 * extract(epoch from now() - interval '1 min') and 1000000 * extract(epoch from now()) + 60000000 from used;
call queue_one('the next');
select max(id) - min(id) = 1 from used;
truncate s2s.queue restart identity;
call queue_one('truncated');
-- As a dump of an earlier release does.
select setval('s2s.queue_id_seq', 1);
call queue_one('set back');
alter table s2s.queue alter column id restart with 5;
call queue_one('restarted');
drop extension "pgrx-ext" cascade;
create extension "pgrx-ext";
create server games_nl foreign data wrapper tradetracker options (campaign_id '1234', product_id '56', click_ids 'any');
select s2s.report_lead('games_nl', '1', 'c') > max(id) from used;
select what from used order by id;
drop table players;
drop owned by writer;
drop role writer;
