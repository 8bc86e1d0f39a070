-- LinkTrust: edits of transactions, by call and by trigger, and answers.
select s2s.linktrust_edit_url('https://track.example.com', 's3cret&', transaction_id => 'T-1', approved => false, affiliate_payout => 0, merchant_payout => 0, execute_affiliate_pixel => true)
     = 'https://track.example.com/transaction.edit?Password=s3cret%26&Transactionid=T-1&A=no&AP=0.00&MP=0.00&executeaffiliatepixel=Yes' as exact;
select s2s.linktrust_edit_url('https://track.example.com/transaction.edit', 'p', click_id => '04_835477_fb93f424-788d-4c48-bfb1-98516f855839', approved => true, reason => 'paid & kept');
select s2s.linktrust_edit_url('https://track.example.com', 'p', merchant_reference_id => 'W 1', campaign_id => '466744', merchant_payout => 12.345);
\pset format unaligned
\pset tuples_only on
select refusal('select s2s.linktrust_edit_url(' || arguments || ')') from (values
    ($$null, 'p', 'T', approved => true$$), ($$'https://t.example', null, 'T', approved => true$$), ($$'https://t.example', '', 'T', approved => true$$),
    ($$'ftp://t.example', 'p', 'T', approved => true$$), ($$'https://u:s3cret@t.example', 'p', 'T', approved => true$$),
    ($$'https://t.example', 'p', approved => true$$), ($$'https://t.example', 'p', 'T', 'c', approved => true$$),
    ($$'https://t.example', 'p', merchant_reference_id => 'M', approved => true$$), ($$'https://t.example', 'p', 'T', campaign_id => '1', approved => true$$),
    ($$'https://t.example', 'p', 'T'$$), ($$'https://t.example', 'p', 'T', affiliate_payout => -1$$), ($$'https://t.example', 'p', 'T', merchant_payout => 'NaN'$$)
) t(arguments);
-- Servers and passwords.
select refusal('create server bad foreign data wrapper linktrust');
select refusal($$create server bad foreign data wrapper linktrust options (url 'http://t.example')$$);
select refusal($$create server bad foreign data wrapper linktrust options (url 'https://t.example', password 's3cret')$$);
create server lt_eu foreign data wrapper linktrust options (url 'https://track.example.com', campaign_id '466744');
select refusal('create user mapping for public server lt_eu');
select refusal($$create user mapping for public server lt_eu options (password '')$$);
select refusal(format('create user mapping for public server lt_eu options (password %L)', repeat('x', 501)));
select refusal($$create user mapping for public server lt_eu options (pass 's3cret')$$);
create user mapping for public server lt_eu options (password 's3cret');
select s2s.edit_url('lt_eu', 'T-1', approved => false);
select refusal($$select s2s.report_sale('lt_eu', '1', 5, 'EUR', 'c')$$);
-- Triggers: an order is cancelled, an amount is corrected. A password may come later, but it is missed at once.
create table orders (id int primary key, status text, payout numeric, click_id s2s.click_id(linktrust));
create server no_password foreign data wrapper linktrust options (url 'https://track.example.com');
create role other;
create user mapping for other server no_password options (password 's3cret');
create trigger early after update on orders for each row execute function s2s.edit_transaction('no_password', 'approved=no');
alter table orders add column note text;
create user mapping for postgres server no_password options (password 's3cret');
create trigger late after update on orders for each row execute function s2s.edit_transaction('no_password', 'approved=no');
-- Nor do commands that leave it without one; others say nothing.
drop user mapping for other server no_password;
alter server no_password owner to other;
create user mapping for public server no_password options (password 's3cret');
drop user mapping for postgres server no_password;
drop user mapping for public server no_password;
create user mapping for other server no_password options (password 's3cret');
alter server no_password owner to postgres;
alter server no_password owner to other;
alter server no_password options (set url 'https://other.example.com');
drop owned by other;
drop trigger early on orders;
drop trigger late on orders;
alter table orders drop column note;
drop role other;
create trigger order_cancelled after update of status on orders for each row
    when (new.status = 'cancelled' and old.status is distinct from new.status)
    execute function s2s.edit_transaction('lt_eu', 'merchant_reference_id={id}', 'approved=no', 'affiliate_payout=0', 'merchant_payout=0');
create trigger order_corrected after update of payout on orders for each row
    execute function s2s.edit_transaction('lt_eu', 'affiliate_payout={payout}');
insert into orders values (1, 'paid', 5, '04_835477_fb93f424-788d-4c48-bfb1-98516f855839'), (2, 'paid', 5, null);
update orders set status = 'cancelled';
update orders set payout = payout - 1.005;
update orders set payout = -1 where id = 1;
select action, transaction_id, click_id, parameters, due_at = 'infinity' as parked, last_error from s2s.queue order by id;
select s2s.callback_url(id) from s2s.queue where due_at < 'infinity' order by id;
select refusal(format('create trigger bad after update on orders for each row execute function s2s.edit_transaction(%s)', arguments)) from (values
    ($$'lt_eu', 'transaction_id={id}'$$), ($$'lt_eu', 'transaction_id={id}', 'click_id={click_id}', 'approved=no'$$),
    ($$'lt_eu', 'transaction_id={id}', 'aproved=no'$$), ($$'lt_eu', 'transaction_id=7', 'approved=no'$$),
    ($$'lt_eu', 'transaction_id={id}', 'approved=maybe'$$), ($$'lt_eu', 'transaction_id={id}', 'merchant_payout=-1'$$),
    ($$'lt_eu', 'merchant_reference_id={id}', 'campaign_id=x', 'approved=no'$$)
) t(arguments);
-- Bad input: each is named, by a call as an error and by a row as the reason why it is parked.
select refusal('select s2s.edit_transaction(' || arguments || ')') from (values
    ($$'lt_eu', approved => true$$), ($$'lt_eu', 'T', 'c', approved => true$$), ($$'lt_eu', 'T', merchant_reference_id => 'M', approved => true$$),
    ($$'lt_eu', 'T'$$), ($$'lt_eu', 'T', reason => 'why'$$), ($$'lt_eu', 'T', execute_affiliate_pixel => false$$),
    ($$'lt_eu', 'T', affiliate_payout => -0.01$$), ($$'lt_eu', 'T', affiliate_payout => 'NaN'$$), ($$'lt_eu', 'T', merchant_payout => '-Infinity'$$),
    ($$'lt_eu', merchant_reference_id => 'M', campaign_id => 'x', approved => true$$), ($$'lt_eu', 'T', campaign_id => '5', approved => true$$),
    ($$'lt_eu', E'T\n', approved => true$$), ($$'lt_eu', ' ', approved => true$$),
    ($$'nowhere', 'T', approved => true$$), ($$null, 'T', approved => true$$)
) t(arguments);
select s2s.edit_url('lt_eu', 'T', affiliate_payout => 1.005, merchant_payout => 2.994);
create server games_nl foreign data wrapper tradetracker options (campaign_id '1234', product_id '56', click_ids 'any');
select refusal($$select s2s.edit_transaction('games_nl', 'T', approved => true)$$);
select refusal($$select s2s.lead_url('lt_eu', '1', 'c')$$);
select refusal($$create trigger bad after update on orders for each row execute function s2s.edit_transaction('games_nl', 'approved=no')$$);
select refusal($$create trigger bad after update on orders for each row execute function s2s.report_lead('lt_eu', 'transaction_id={id}')$$);
select refusal($$create trigger bad after update on orders for each row execute function s2s.edit_transaction('nowhere', 'approved=no')$$);
delete from s2s.queue;
create table changes (transaction_id text, merchant_reference_id text, approved text, affiliate_payout text, reason text);
create trigger changed after insert on changes for each row execute function s2s.edit_transaction(
    'lt_eu', 'transaction_id={transaction_id}', 'approved={approved}', 'affiliate_payout={affiliate_payout}', 'reason={reason}');
insert into changes values
    ('T', null, 'maybe', null, null), ('T', null, null, '-1', null), ('T', null, null, 'Infinity', null), ('T', null, null, '1,50', null),
    ('T', null, null, null, 'why'), (null, null, 'no', null, null), ('T', null, 'off', '1.005', null);
select transaction_id, parameters, due_at = 'infinity' as parked, last_error from s2s.queue order by id;
select s2s.callback_url(id) from s2s.queue where due_at < 'infinity';
set s2s.on_invalid_row = error;
select refusal($$insert into changes values ('T', null, 'maybe')$$);
reset s2s.on_invalid_row;
drop table changes;
drop server games_nl;
-- The password is nowhere but in the user mapping.
select count(*) from s2s.queue q where q::text like '%s3cret%';
-- Both of the manual's samples, the second of which is not well-formed.
\pset format aligned
\pset tuples_only off
select succeeded, error_type, message, affiliate_payout, approved from s2s.linktrust_answer('<?xml version="1.0" encoding="UTF-8"?>
<LinkTrust><ApiResponse action="ModifyTransaction"><Succeeded>True</Succeeded><SuppliedValues><TransactionId></TransactionId><CID></CID><AP>0.00</AP><MP>0.00</MP><A>no</A></SuppliedValues></ApiResponse></LinkTrust>');
select succeeded, error_type, message from s2s.linktrust_answer('<?xml version="1.0" encoding="UTF-8"?>
<LinkTrust><ApiResponse action="ModifyTransaction"><Succeeded>False</Succeeded><Error><Type>permanent</Type>
<Message>Permanent Failure: Invalid authentication credentials.</Message></Error><SuppliedValues><CID><CID></SuppliedValues></ApiResponse></LinkTrust>');
select * from s2s.linktrust_answer('<html>502</html>');
select * from s2s.linktrust_answer('<!DOCTYPE x [<!ENTITY a "b">]><LinkTrust/>');
delete from s2s.queue;
drop table orders;
drop server lt_eu cascade;
