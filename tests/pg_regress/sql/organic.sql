-- An edit by another identification than the click id is for rows with a click id, unless it says otherwise.
\pset format unaligned
\pset tuples_only on
create server lt_eu foreign data wrapper linktrust options (url 'https://track.example.com', campaign_id '466744');
create user mapping for public server lt_eu options (password 's3cret');
create server tune foreign data wrapper postback options (edit_url 'https://t.example/?id={transaction_id}&a={approved}');
create function queued() returns setof text language sql as $$ with gone as (delete from s2s.queue returning id, transaction_id) select transaction_id from gone order by id $$;
create table orders (id int, click_id s2s.click_id, status text);
create trigger cancelled after update on orders for each row
    execute function s2s.edit_transaction('lt_eu', 'merchant_reference_id={id}', 'approved=no');
create trigger cancelled_said after update on orders for each row
    execute function s2s.edit_transaction('lt_eu', 'merchant_reference_id=false-{id}', 'approved=no', 'organic=false');
create trigger cancelled_all after update on orders referencing new table as new_rows for each statement
    execute function s2s.edit_transaction('lt_eu', 'transaction_id=all-{id}', 'approved=no', 'organic=true');
create trigger postback_cancelled after update on orders for each row
    execute function s2s.edit_transaction('tune', 'transaction_id=tune-{id}', 'approved=no');
insert into orders values (1, 'c'), (2, null);
update orders set status = 'cancelled';
select queued();
select row_data ->> 'id', url, problem from s2s.preview('orders', 'cancelled');
select row_data ->> 'id', url, problem from s2s.preview('orders', 'cancelled_all');
-- The argument is no parameter, for whichever server it is.
alter server lt_eu options (set url 'https://other.example.com');
create trigger postback_all after update on orders for each row
    execute function s2s.edit_transaction('tune', 'transaction_id=tune-all-{id}', 'approved=no', 'organic=true');
update orders set status = 'again' where id = 2;
select transaction_id, parameters from s2s.queue order by transaction_id;
delete from s2s.queue;
select refusal(format('create trigger bad after update on orders for each row execute function s2s.edit_transaction(%s)', arguments)) from (values
    ($$'lt_eu', 'merchant_reference_id={id}', 'approved=no', 'organik=true'$$),
    ($$'lt_eu', 'merchant_reference_id={id}', 'approved=no', 'organic=maybe'$$),
    ($$'lt_eu', 'merchant_reference_id={id}', 'approved=no', 'organic={status}'$$),
    ($$'lt_eu', 'merchant_reference_id={id}', 'approved=no', 'organic=true', 'organic=false'$$),
    ($$'lt_eu', 'approved=no', 'organic=true'$$)
) t(arguments);
create server games_nl foreign data wrapper tradetracker options (campaign_id '1234', product_id '56', click_ids 'any');
select refusal($$create trigger bad after insert on orders for each row execute function s2s.report_lead('games_nl', 'transaction_id={id}', 'organic=true')$$);
-- A table without such a column has no organic customers that are known.
create table returns (order_id int);
create trigger returned after insert on returns for each row execute function s2s.edit_transaction('lt_eu', 'merchant_reference_id={order_id}', 'approved=no');
insert into returns values (3);
select queued();
-- With several, none says which customer is organic.
alter table orders rename click_id to tt_click_id;
\set VERBOSITY terse
alter table orders add column lt_click_id s2s.click_id;
\set VERBOSITY default
drop table orders;
create table orders (id int, tt_click_id s2s.click_id, lt_click_id s2s.click_id);
select refusal($$create trigger cancelled after update on orders for each row execute function s2s.edit_transaction('lt_eu', 'merchant_reference_id={id}', 'approved=no')$$);
create trigger cancelled after update on orders for each row when (new.lt_click_id is not null)
    execute function s2s.edit_transaction('lt_eu', 'merchant_reference_id={id}', 'approved=no', 'organic=true');
insert into orders values (4, 'c', null), (5, null, 'c');
update orders set id = id;
select queued();
