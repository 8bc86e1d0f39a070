-- Any other network, by URL template.
select s2s.postback_url('https://demo.go2cloud.org/aff_lsr?offer_id=9&transaction_id={click_id}&amount={amount}', '{"click_id": "a/b c", "amount": 5}');
select s2s.postback_url('https://prf.hn/conversion/clickref:{click_id}/[value:{amount}]', '{"click_id": "a/b", "amount": "49.90"}');
select s2s.postback_url('https://t.example/?c={click_id}&x={nothing}', '{"click_id": "c"}');
select s2s.postback_url('https://{host}/?c=1', '{}');
select s2s.postback_url('https://t.example/?c={{click_id}}', '{}');
select s2s.postback_url('https://t.example/?c=1&amp;d=2', '{}');
create server tune foreign data wrapper postback options (sale_url 'https://demo.go2cloud.org/aff_lsr?offer_id=9&transaction_id={click_id}&amount={amount}', success_body 'success=true');
create server bad foreign data wrapper postback options (sale_url 'https://t.example/?c={click_id}', success_body '(');
create server bad foreign data wrapper postback options (success_body 'OK');
create server bad foreign data wrapper postback options (lead_url 'https://t.example/?c=[=click_id=]');
select s2s.sale_url('tune', '987', 49.9, 'EUR', 'abc!');
select s2s.lead_url('tune', '987', 'abc!');
create table orders (id int primary key, total numeric, shop text, click_id s2s.click_id);
create trigger report after insert on orders for each row
    execute function s2s.report_sale('tune', 'transaction_id={id}', 'amount={total}', 'currency=EUR', 'shop={shop}');
insert into orders values (1, 5, 'north', 'abc!'), (2, 5, 'north', null);
select transaction_id, click_id, parameters, s2s.callback_url(id) from s2s.queue;
delete from s2s.queue;
-- A change of the server that leaves triggers unable to work says which, wherever they are.
create schema branch create table orders (id int, total numeric, click_id s2s.click_id);
create trigger report after insert on branch.orders for each row
    execute function s2s.report_sale('tune', 'transaction_id={id}', 'amount={total}', 'currency=EUR');
create trigger report_disabled after insert on branch.orders for each row
    execute function s2s.report_sale('tune', 'transaction_id={id}', 'amount={total}', 'currency=EUR', 'rebate={total}');
alter table branch.orders disable trigger report_disabled;
alter server tune options (set sale_url 'https://demo.go2cloud.org/aff_lsr?transaction_id={click_id}&voucher={voucher_code}&shop={shop}');
alter server tune options (set sale_url 'https://demo.go2cloud.org/aff_lsr?transaction_id={click_id}', add timeout '5s');
alter server tune options (drop sale_url, add lead_url 'https://demo.go2cloud.org/aff_l?transaction_id={click_id}');
alter server tune owner to current_user;
drop schema branch cascade;
drop table orders;
drop server tune;

-- Numbers are sent as they are written.
select s2s.postback_url('https://t.example/?a={a}&b={b}&c={c}', '{"a": 12345678901234567890123, "b": 49.90, "c": 0.12345678901234567890}');
