-- A trigger that cannot work any more: statements succeed, what is known of a row is parked, and
-- nothing is sent that lacks something.
create server games_nl foreign data wrapper tradetracker options (campaign_id '1234', product_id '56', click_ids 'any');
create table orders (id int, shop text, voucher text, total numeric, click_id s2s.click_id);
create trigger report after insert on orders for each row
    execute function s2s.report_sale('games_nl', 'transaction_id={shop}-{id}', 'amount={total}', 'currency=EUR', 'voucher_code={voucher}', 'description=order');
create view queued as
    select transaction_id, click_id, parameters, due_at = 'infinity' as parked, last_error from s2s.queue order by id;
\pset null '(null)'
-- Somebody who keeps the event trigger from looking can break it.
alter event trigger s2s_check_ddl disable;
alter table orders rename column shop to store;
insert into orders values (1, 'nl', null, 5, 'c'), (2, 'nl', null, 5, null), (3, 'nl', 'SUMMER', 5, null);
-- Organic customers are nobody's all the same.
select * from queued;
-- Nothing is sent until somebody says what is missing.
select s2s.retry_parked('games_nl');
select refusal(format('select s2s.callback_url(%s)', id)) from s2s.queue order by id;
update s2s.queue set parameters = parameters - '{unread}' || jsonb_build_object('transaction_id', 'nl-1') where click_id = 'c';
select s2s.callback_url(id) from s2s.queue where click_id = 'c';
delete from s2s.queue;
-- Without the voucher's column it is not known who is organic, so that each row is parked.
alter table orders rename column store to shop;
alter table orders rename column voucher to code;
insert into orders values (1, 'nl', 'SUMMER', 5, 'c'), (2, 'nl', null, 5, null);
select * from queued;
select s2s.retry_parked('games_nl');
select refusal(format('select s2s.callback_url(%s)', id)) from s2s.queue order by id;
delete from s2s.queue;
alter table orders rename column code to voucher;
-- Nor without the only column of click ids, or with two of them.
alter table orders add column click_id_2 s2s.click_id;
insert into orders values (1, 'nl', null, 5, null, 'c');
select * from queued;
delete from s2s.queue;
alter table orders drop column click_id_2;
alter event trigger s2s_check_ddl enable;
-- A server that is gone, or another network's: organic customers stay nobody's, all else is known. What is
-- queued while no server has the name is for none that gets it.
create view marked as
    select server, last_error, server_dropped_at is not null as is_marked from s2s.queue order by id;
alter event trigger s2s_check_ddl disable;
alter server games_nl rename to games;
insert into orders values (1, 'nl', 'SUMMER', 5, 'c'), (2, 'nl', null, 5, null);
select * from queued;
create server games_nl foreign data wrapper linktrust options (url 'https://track.example.com');
alter event trigger s2s_check_ddl enable;
insert into orders values (1, 'nl', 'SUMMER', 5, 'c'), (2, 'nl', null, 5, null);
select * from marked;
drop server games_nl;
insert into orders values (1, 'nl', 'SUMMER', 5, 'c'), (2, 'nl', null, 5, null);
select * from marked;
select pg_get_triggerdef(oid) from pg_trigger where tgname = 'report';
select refusal('select s2s.retry_parked(''games_nl'')');
-- A server that gets the name gets nothing, until the queue's owner says so.
alter server games rename to games_nl;
select s2s.retry_parked();
select count(*) from marked where is_marked;
select s2s.retry_parked('games_nl');
select s2s.callback_url(id) from s2s.queue order by id;
select count(*) from marked where is_marked;
delete from s2s.queue;
-- Nor does what names it already when it gets the name.
insert into s2s.queue (server, action, transaction_id, parameters)
    values ('games', 'sale', '1', '{}'), ('new', 'sale', '2', '{}');
create server new foreign data wrapper tradetracker options (campaign_id '1234', product_id '56');
alter server games_nl rename to games;
select * from marked;
-- No row can be marked and due.
select split_part(refusal('update s2s.queue set due_at = now()'), E'\n', 1);
delete from s2s.queue;
drop table orders cascade;
drop server games, new;
