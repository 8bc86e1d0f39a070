-- Callbacks of a user's own PL/pgSQL trigger: no row makes the statement fail.
create server games_nl foreign data wrapper tradetracker options (campaign_id '1234', product_id '56', click_ids 'any');
create server lt_eu foreign data wrapper linktrust options (url 'https://track.example.com');
create user mapping for public server lt_eu options (password 's3cret');
create table orders (id numeric primary key, currency text, voucher text, click_id s2s.click_id);
create table order_items (order_id numeric, line int, price numeric, quantity int, note jsonb);
create function report_item() returns trigger language plpgsql as $$
begin
    perform s2s.queue_callback('games_nl', 'sale', jsonb_build_object(
                'transaction_id', o.id || '-' || new.line, 'amount', new.price * new.quantity,
                'currency', o.currency, 'voucher_code', o.voucher, 'click_id', o.click_id, 'description', new.note))
    from orders o where o.id = new.order_id;
    return null;
end $$;
create trigger report_item after insert on order_items for each row execute function report_item();
-- A role that inserts needs USAGE of the server, and nothing else of ours.
create role shop;
grant insert, select on orders, order_items to shop;
set role shop;
insert into orders values (1, 'EUR', null, 'c'), (2, 'EUR', null, null), (3, 'EURO', null, 'c'), (12345678901234567890, 'eur', 'V', null);
insert into order_items values (1, 1, 49.90, 1, null);
reset role;
grant usage on foreign server games_nl to shop;
set role shop;
insert into order_items values (1, 1, 49.90, 2, null), (2, 1, 5, 1, null), (3, 1, 5, 1, null), (1, 2, -5, 1, '"a note"'),
    (12345678901234567890, 1, 0.1 + 0.2, 1, null), (1, 3, 'NaN', 1, null), (1, 4, 1e400, 1, null),
    (1, 5, 5, 1, '{"a": [1]}'), (1, 6, 5, 1, (repeat('[', 500) || repeat(']', 500))::jsonb),
    (1, 7, 5, 1, to_jsonb(repeat('x', 100000)));
reset role;
select transaction_id, click_id, left(parameters::text, 150) as parameters, due_at = 'infinity' as parked, left(last_error, 100) from s2s.queue order by id;
-- Nothing is sent until what could not be read is put right.
select refusal(format('select s2s.callback_url(%s)', id)) from s2s.queue where transaction_id = '1-5';
delete from s2s.queue;
-- It returns the id, or NULL for what our triggers pass over: organic customers, edits by a click id that
-- is not there, everything if triggers are off.
select s2s.queue_callback('games_nl', 'lead', '{"transaction_id": 1, "click_id": "c"}') is not null;
select s2s.queue_callback('games_nl', 'lead', '{"transaction_id": 1}');
select s2s.queue_callback('lt_eu', 'edit', '{"click_id": null, "approved": false}');
select s2s.queue_callback('lt_eu', 'edit', '{"transaction_id": null, "approved": false}') is not null;
select s2s.queue_callback(server => 'lt_eu', action => 'edit', parameters => '{"transaction_id": "T", "approved": false}') is not null;
begin;
set local s2s.enabled = off;
select s2s.queue_callback('games_nl', 'lead', '{"transaction_id": 2, "click_id": "c"}');
commit;
-- Parked: what the server has not, what it does not know, what is no object.
select s2s.queue_callback('games_nl', 'edit', '{"transaction_id": 3, "click_id": "c"}') is not null;
select s2s.queue_callback('games_nl', 'lead', '{"transaction_id": 4, "click_id": "c", "vouchr_code": "V"}') is not null;
select s2s.queue_callback('games_nl', 'lead', '{"transaction_id": 5, "click_id": "a b"}') is not null;
select s2s.queue_callback('games_nl', 'lead', '[]') is not null, s2s.queue_callback('games_nl', 'lead', null) is not null;
select action, transaction_id, parameters, last_error from s2s.queue order by id;
-- Errors: no such server, no USAGE, no such action; and invalid values where they are asked for.
select s2s.queue_callback('games', 'lead', '{}');
select s2s.queue_callback(null, 'lead', '{}');
set role shop;
select s2s.queue_callback('lt_eu', 'edit', '{"transaction_id": "T", "approved": false}');
reset role;
select s2s.queue_callback('games_nl', 'sail', '{}');
select s2s.queue_callback('games_nl', null, '{}');
set s2s.on_invalid_row = error;
select s2s.queue_callback('games_nl', 'sale', '{"transaction_id": 5, "click_id": "c", "amount": -1, "currency": "EUR"}');
reset s2s.on_invalid_row;
begin read only;
select s2s.queue_callback('games_nl', 'lead', '{"transaction_id": 1, "click_id": "c"}');
rollback;
delete from s2s.queue;
drop table orders, order_items;
drop function report_item();
drop owned by shop;
drop role shop;
drop server games_nl;
drop server lt_eu cascade;
