-- What a DBA adds to s2s.queue is honoured, or refused where something is queued; it is never ignored.
create server games_nl foreign data wrapper tradetracker options (campaign_id '1234', product_id '56', click_ids 'any');
create table players (id bigint, click_id s2s.click_id);
create trigger report after insert on players for each row
    execute function s2s.report_lead('games_nl', 'transaction_id={id}');
create function queued_with(change text, undo text) returns text language plpgsql as $$
declare
    said text;
begin
    execute change;
    begin
        insert into players values (1, 'c');
        said := 'queued ' || (select count(*) from s2s.queue);
    exception when others then
        said := sqlstate || ': ' || sqlerrm;
    end;
    delete from s2s.queue;
    execute undo;
    return said;
end $$;
-- Refused: an INSERT would evaluate it.
select change, queued_with('alter table s2s.queue ' || change, 'alter table s2s.queue ' || undo)
from (values
    ('add constraint few check (attempts < 3)', 'drop constraint few'),
    ('add constraint few check (attempts < 3) not valid', 'drop constraint few'),
    ('alter click_id set not null', 'alter click_id drop not null'),
    ('alter last_error set not null', 'alter last_error drop not null'),
    ('alter last_error set default ''none''', 'alter last_error drop default'),
    ('alter click_id set default ''c''', 'alter click_id drop default'),
    ('add note text default ''x''', 'drop note'),
    ('add note text not null', 'drop note'),
    ('add year int generated always as (attempts + 1) stored', 'drop year')) c (change, undo);
-- Honoured, or without a meaning for what is queued.
select change, queued_with('alter table s2s.queue ' || change, 'alter table s2s.queue ' || undo)
from (values
    ('add note text', 'drop note'),
    ('alter due_at set default now()', 'alter due_at set default clock_timestamp()'),
    ('alter attempts drop default', 'alter attempts set default 0'),
    ('drop constraint attempts_is_not_negative', 'add constraint attempts_is_not_negative check (attempts >= 0)'),
    ('set (fillfactor = 80)', 'reset (fillfactor)')) c (change, undo);
select queued_with('create unique index one on s2s.queue ((1))', 'drop index s2s.one');
insert into players values (2, 'c');
select queued_with('create unique index one on s2s.queue ((1))', 'drop index s2s.one');
-- An index can call a function that queues: neither callback goes through the other's.
create table visits (id bigint, click_id s2s.click_id);
create trigger report after insert on visits for each row
    execute function s2s.report_lead('games_nl', 'transaction_id=visit-{id}');
create function visit(transaction_id text) returns void language plpgsql as $$ begin
    if transaction_id not like 'visit%' then insert into visits values (transaction_id::bigint, 'v'); end if;
end $$;
-- Not what it claims to be.
create function visited(transaction_id text) returns text language plpgsql immutable as $$ begin
    perform visit(transaction_id);
    return transaction_id;
end $$;
create index a_visit on s2s.queue (visited(transaction_id));
create index z_transaction on s2s.queue (transaction_id, click_id);
insert into players values (3, 'c'), (4, 'd');
select s2s.report_lead('games_nl', '5', 'c') > 0 as queued;
begin;
set constraints all deferred;
create constraint trigger later after insert on players deferrable initially deferred for each row
    execute function s2s.report_lead('games_nl', 'transaction_id=10{id}');
insert into players values (6, 'c');
commit;
select transaction_id, click_id from s2s.queue order by transaction_id collate "C";
set enable_seqscan = off;
set enable_bitmapscan = off;
select count(*) from s2s.queue where transaction_id > '';
select transaction_id from s2s.queue where visited(transaction_id) = 'visit-3';
