-- What a trigger would send for a row that is given, and the row whose place it takes.
create server games_nl foreign data wrapper tradetracker options (campaign_id '1234', product_id '56', click_ids 'any');
create server lt_eu foreign data wrapper linktrust options (url 'https://track.example.com', campaign_id '466744');
create user mapping for public server lt_eu options (password 's3cret');
create table orders (id int primary key, gone int, total numeric, status text default 'new', paid_at timestamptz, tags text[], click_id s2s.click_id);
alter table orders drop column gone;
create trigger report_order after insert on orders for each row
    execute function s2s.report_sale('games_nl', 'transaction_id={id}', 'amount={total}', 'currency=EUR', 'description={tags}');
create trigger order_refunded after update of status on orders for each row
    when (old.status = 'paid' and new.status = 'refunded')
    execute function s2s.edit_transaction('lt_eu', 'merchant_reference_id={id}', 'approved=no');
create trigger price_cut after update on orders for each row when (old.total > new.total and old.id = new.id)
    execute function s2s.edit_transaction('lt_eu', 'merchant_reference_id={id}', 'affiliate_payout={total}');
create trigger changed after update on orders for each row when (old is distinct from new and new.tableoid = 'orders'::regclass)
    execute function s2s.edit_transaction('lt_eu', 'merchant_reference_id={id}', 'approved=yes');
set session_replication_role = replica;
insert into orders values (1, 49.9, 'refunded', now(), '{a,b}', '0::12345::reference::::1405418672'), (2, 5, 'paid', now(), null, 'c'), (3, 6, 'refunded', now(), null, null);
reset session_replication_role;
\pset format unaligned
\pset null '(null)'
-- The trigger needs an old row: without it there is nothing to see.
select url, problem from s2s.preview('orders', 'order_refunded');
-- One order of the table as it is refunded, or as if it were.
select p.url, p.problem from orders o, s2s.preview('orders', 'order_refunded', to_jsonb(o), '{"status": "paid"}') p where o.id = 1;
select p.url, p.problem from orders o, s2s.preview('orders', 'order_refunded', to_jsonb(o) || '{"status": "refunded"}', to_jsonb(o)) p where o.id = 2;
-- Or all that are.
select o.id, p.url from orders o, s2s.preview('orders', 'order_refunded', to_jsonb(o), '{"status": "paid"}') p order by 1;
-- Not if nothing changes, nor if it is inserted.
select url, problem from s2s.preview('orders', 'order_refunded', '{"id": 1, "status": "refunded"}', '{}');
select url, problem from s2s.preview('orders', 'order_refunded', '{"id": 1, "status": "refunded"}', null);
-- Columns that old does not name have their new values.
select url from s2s.preview('orders', 'price_cut', '{"id": 7, "total": 12345678901234567890.10}', '{"total": 12345678901234567890.11}');
select url from s2s.preview('orders', 'changed', '{"id": 7}', '{"status": null}');
select url from s2s.preview('orders', 'changed', '{"id": 7}', '{"status": "x"}');
-- A row that is in no table; columns without a value are NULL, whatever their default is.
select * from s2s.preview('orders', 'report_order', new => '{"id": 8, "total": 1.5, "tags": ["a", "b c"], "click_id": "c"}', old => null);
select * from s2s.preview('orders', 'report_order', '{"id": 8, "total": -1, "click_id": "c"}', null);
select * from s2s.preview('orders', 'report_order', '{"id": 8, "total": 1}', null);
select * from s2s.preview('orders', 'report_order', null, null);
-- What is no row.
select * from s2s.preview('orders', 'report_order', '[]', null);
select * from s2s.preview('orders', 'report_order', '{}', '1');
select * from s2s.preview('orders', 'report_order', '{"totl": 1}', null);
select * from s2s.preview('orders', 'report_order', '{}', '{"gone": 1}');
select * from s2s.preview('orders', 'report_order', '{"total": "x"}', null);
select * from s2s.preview('orders', 'report_orders', '{}', null);
select count(*) from s2s.queue;
-- Partitions, names that have to be quoted, statement triggers.
create schema "Odd ""schema";
create table "Odd ""schema"."Table; select" ("r" int, "Id {x" text, click_id s2s.click_id) partition by list (r);
create trigger "Odd ""trigger" after update on "Odd ""schema"."Table; select" referencing new table as n for each statement
    execute function s2s.report_lead('games_nl', 'transaction_id={r}');
select * from s2s.preview('"Odd ""schema"."Table; select"', 'Odd "trigger', '{"r": 1, "Id {x": "y", "click_id": "c"}', null);
drop schema "Odd ""schema" cascade;
-- It is the owner's: code of the owner's runs as the owner, with values of the caller's.
create role clerk;
create role analyst;
grant select, insert, update on orders to analyst;
grant usage on foreign server games_nl, lt_eu to analyst;
set role analyst;
select * from s2s.preview('orders', 'report_order', '{"id": 8}', null);
reset role;
alter table orders owner to clerk;
set role clerk;
select * from s2s.preview('orders', 'report_order', '{"id": 8}', null);
reset role;
create function seen(text) returns boolean language plpgsql as $$
begin
    raise notice '% as %, search_path %', $1, current_user, current_setting('search_path');
    return true;
end $$;
grant usage on foreign server games_nl, lt_eu to clerk;
create trigger seen after insert on orders for each row when (seen(new.status))
    execute function s2s.report_sale('games_nl', 'transaction_id={id}', 'amount={total}', 'currency=EUR');
create trigger becomes after insert on orders for each row when (set_config('role', 'postgres', false) <> '')
    execute function s2s.report_sale('games_nl', 'transaction_id={id}', 'amount={total}', 'currency=EUR');
select url from s2s.preview('orders', 'seen', '{"id": 8, "total": 1, "status": "x", "click_id": "c"}', null);
select url from s2s.preview('orders', 'becomes', '{"id": 8}', null);
set role clerk;
select url from s2s.preview('orders', 'seen', '{"id": 8, "total": 1, "status": "x", "click_id": "c"}', null);
reset role;
drop table orders;
drop function seen(text);
drop owned by analyst, clerk;
drop role analyst, clerk;
drop server games_nl;
drop server lt_eu cascade;
