-- What users write wrong, a line each, and what they are told: SQLSTATE and message, DETAIL, HINT.
\pset format unaligned
\pset tuples_only on
\pset fieldsep '\n'
create server tt_nl foreign data wrapper tradetracker options (campaign_id '1234', product_id '56');
create server any_id foreign data wrapper tradetracker options (campaign_id '1234', product_id '56', click_ids 'any');
create server lt_eu foreign data wrapper linktrust options (url 'https://track.example.com');
create user mapping for public server lt_eu options (password 's3cret');
create server tune foreign data wrapper postback options (sale_url 'https://t.example.com/p?c={click_id}&a={amount}');
create server bare foreign data wrapper postback options (sale_url 'https://t.example.com/p?c={click_id}');
-- Click ids, at a server of a network whose form is known.
select '>> ' || id, refusal(format('select s2s.lead_url(''tt_nl'', ''1'', %L)', id)) from (values
    ('987'), ('49.90'), ('{click_id}'), ('{$tracking_code}'), ('CLICK_ID'), ('12345'), ('abc'), ('https://shop.example/?tt=0'),
    ('0::12345::abc::1405418672'), ('0:12345:abc::1405418672'), ('0::12345::abc::::14054'), ('0::12345::abc::deadbeef::1405418672'),
    ('x::12345::abc::::1405418672'), ('0::site::abc::::1405418672'), ('0::12345::abc::::now'), ('04_835477_fb93f424-788d-4c48-bfb1-98516f855839'),
    ('0%3A%3A12345%3A%3Aabc%3A%3A%3A%3A1405418672'), ('0%253A%253A12345%253A%253Aabc%253A%253A%253A%253A1405418672'), ('0%25253A%25253A12345%25253A%25253Aabc%25253A%25253A%25253A%25253A1405418672'),
    ('[marker]0::12345::abc::::1405418672[/marker]'), (' 0::12345::abc::::1405418672'), ('0::12345::a b::::1405418672'), ('')
) t(id);
select '>> ' || id, refusal(format('select s2s.lead_url(''any_id'', ''1'', %L)', id)) from (values ('987'), ('0%253A%253A12345')) t(id);
select '>> ' || id, refusal(format('select s2s.edit_url(''lt_eu'', click_id => %L, approved => true)', id)) from (values
    ('0::12345::abc::::1405418672'), ('{click_id}'), ('a.b'), ('T-1')
) t(id);
-- Templates.
select '>> ' || template, refusal(format('create server bad foreign data wrapper postback options (sale_url %L)', template)) from (values
    ('https://t.example.com'), ('https://t.example.com/p'), ('https://t.example.com/p?tid=1'), ('t.example.com/p?c={click_id}'), ('t.example.com'), (''),
    ('//t.example.com/p?c={click_id}'), ('ftp://t.example.com/p?c={click_id}'), ('http://t.example.com/p?c={click_id}'), ('https://{host}/p?c={click_id}'),
    ('https://user:s3cret@t.example.com/p?c={click_id}'), ('https://t.example.com:0/p?c={click_id}'), ('https:///p?c={click_id}'),
    ('https://[Your Tracking URL]/p?c={click_id}'), ('https://[TrackingURL.com]/p?c={click_id}'),
    ('https://t.example.com/p?c=CLICK_ID'), ('https://t.example.com/p?c={click_id}&tid=LeadID'), ('https://t.example.com/p?tid=LEAD_ID_HERE'), ('https://t.example.com/p?tid=ORDER_ID&c={click_id}'),
    ('https://t.example.com/p?cid=[campaign_id]&c={click_id}'), ('https://t.example.com/p?c=[marker]{click_id}[/marker]'), ('https://t.example.com/p?c={click_id}&a=AMOUNT'),
    ('https://t.example.com/p?c=#s2#'), ('https://t.example.com/p?c={{click_id}}'), ('https://t.example.com/p?c=%click_id%'), ('https://t.example.com/p?c=[=click_id=]'), ('https://t.example.com/p?c=#{click_id}'),
    ('https://t.example.com/p?c=${click_id}'), ('https://t.example.com/p?c=<click_id>'), ('https://t.example.com/p?c=*|click_id|*'), ('https://t.example.com/p?c=%7Bclick_id%7D'), ('https://t.example.com/p?c=__CLICKID__'),
    ('https://t.example.com/p?c={click id}'), ('https://t.example.com/p?c={}'), ('https://t.example.com/p?c={click_id'), ('https://t.example.com/p?c=click_id}'), ('https://t.example.com/p?c={click-id}'),
    ('https://t.example.com/p?c={click_id}&amp;a={amount}'), ('https://t.example.com/p?a={amount}¤cy={currency}'), ('https://t.example.com/p?c={click_id}&n=new player'), ('https://t.example.com/p?c={click_id}|{amount}'),
    ('https://t.example.com/p?c={click_id}#top'), ('https://t.example.com/p?c={click_id}&v=10%'), ('https://t.example.com/p?r=weekendjeweg-{x}…'), ('https://t.example.com/p?c={approved}'), (E'https://t.example.com/p?c={click_id}\n'),
    ('javascript:alert(1)')
) t(template);
-- The base URLs of networks with parameters of their own.
select '>> ' || option || ' ' || url, refusal(format('create server bad foreign data wrapper tradetracker options (campaign_id ''1'', product_id ''2'', %I %L)', option, url)) from (values
    ('lead_url', 'https://tl.tradetracker.net/{click_id}'), ('sale_url', 'https://ts.tradetracker.net/?tid={transaction_id}'), ('lead_url', 'tl.tradetracker.net'), ('lead_url', 'http://tl.tradetracker.net/'),
    ('lead_url', 'http://[TrackingURL.com]/'), ('lead_url', 'https://[Your Tracking URL]/l'), ('sale_url', ''), ('sale_url', 'https://'), ('sale_url', 'https://ts.example/#x'), ('sale_url', 'https://ts example/'), ('edit_url', 'https://t.example/')
) t(option, url);
select '>> ' || url, refusal(format('create server bad foreign data wrapper linktrust options (url %L, allow_http ''true'')', url)) from (values
    ('http://[TrackingURL.com]/'), ('track.example.com'), ('https://track.example.com/transaction.edit?Password=s3cret'), ('https://track.example.com/{campaign}'), ('https://user@track.example.com'), ('')
) t(url);
-- Other options.
select '>> ' || wrapper || ' ' || option || ' ' || value, refusal(format('create server bad foreign data wrapper %I options (%s, %I %L)', wrapper,
        case wrapper when 'postback' then 'lead_url ''https://t.example/{click_id}''' when 'linktrust' then 'url ''https://t.example''' else 'campaign_id ''1''' end, option, value)) from (values
    ('postback', 'failure_body', ''), ('postback', 'success_body', ''), ('postback', 'success_body', 'a('), ('postback', 'click_ids', 'any'), ('postback', 'campaign_id', '1'), ('postback', 'Lead_URL', 'https://t.example/{click_id}'),
    ('postback', 'timeout', '10'), ('postback', 'timeout', '10 min'), ('postback', 'max_in_flight', '0'), ('postback', 'requests_per_second', '0'), ('postback', 'max_attempts', '100'), ('postback', 'retry_schedule', '5'),
    ('postback', 'paused', 'maybe'), ('postback', 'ca_file', 'own.pem'), ('linktrust', 'click_ids', 'tradetracker'), ('linktrust', 'click_ids', ''), ('linktrust', 'password', 's3cret'), ('linktrust', 'campaign_id', 'abc'),
    ('tradetracker', 'product_id', '[product_id]'), ('tradetracker', 'product_id', ''), ('tradetracker', 'produkt_id', '2'), ('tradetracker', 'url', 'https://t.example')
) t(wrapper, option, value);
select refusal('create user mapping for current_user server lt_eu options (password '''')');
select refusal('create user mapping for current_user server lt_eu options (pasword ''x'')');
select refusal('create user mapping for current_user server tune options (password ''x'')');
-- Amounts and currencies.
select '>> ' || amount || ' ' || currency, refusal(format('select s2s.sale_url(''tt_nl'', ''1'', %s, %L, voucher_code => ''V'')', amount, currency)) from (values
    ('-1', 'EUR'), ('''NaN''', 'EUR'), ('''Infinity''', 'EUR'), ('1e25', 'EUR'), ('null', 'EUR'), ('5', ''), ('5', null), ('5', 'EURO'), ('5', '€'), ('5', '978'), ('5', 'E'), ('5', '{currency}'),
    ('5', 'XXX'), ('5', 'xts'), ('5', 'XAU'), ('5', 'XDR'), ('5', 'XAF')
) t(amount, currency);
create table prices (id int, total text, click_id s2s.click_id);
create trigger report after insert on prices for each row execute function s2s.report_sale('tt_nl', 'transaction_id={id}', 'amount={total}', 'currency=EUR');
set s2s.on_invalid_row = error;
select '>> ' || total, refusal(format('with new as (insert into prices values (1, %L, ''0::12345::abc::::1405418672'') returning id) select id from new', total)) from (values
    ('12,50'), ('1.234,50'), ('1,234.50'), ('€ 5'), ('49.90 EUR'), ('free'), (''), (' 5'), ('5-'), ('0x10')
) t(total);
reset s2s.on_invalid_row;
-- Triggers.
create table orders (id int, "Ref" text, total numeric, price money, clicked text, "a{b}" text, "say ""x""" text, click_id s2s.click_id);
select '>> ' || arguments, refusal(format('create trigger bad after insert on orders for each row execute function s2s.report_sale(%s)', arguments)) from (values
    (''), ($$''$$), ($$'transaction_id={id}', 'amount={total}', 'currency=EUR'$$), ($$'TT_NL', 'transaction_id={id}'$$), ($$'tt-nl', 'transaction_id={id}'$$), ($$'nowhere', 'transaction_id={id}'$$), ($$'lt_eu', 'transaction_id={id}'$$),
    ($$'tt_nl'$$), ($$'tt_nl', 'transaction_id'$$), ($$'tt_nl', '{id}'$$), ($$'tt_nl', '=5'$$), ($$'tt_nl', 'transaction_id=7', 'amount={total}', 'currency=EUR'$$), ($$'tt_nl', 'transaction_id=id', 'amount={total}', 'currency=EUR'$$),
    ($$'tt_nl', 'transaction_id={ID}', 'amount={total}', 'currency=EUR'$$), ($$'tt_nl', 'transaction_id={ref}', 'amount={total}', 'currency=EUR'$$), ($$'tt_nl', 'transaction_id={NEW.id}', 'amount={total}', 'currency=EUR'$$), ($$'tt_nl', 'transaction_id={nothing}', 'amount={total}', 'currency=EUR'$$),
    ($$'tt_nl', 'transaction_id={id}'$$), ($$'tt_nl', 'transaction_id={id}', 'amount={total}'$$), ($$'tt_nl', 'transaction_id={id}', 'amount={price}', 'currency=EUR'$$), ($$'tt_nl', 'transaction_id={id}', 'amount={total}', 'currency=XXX'$$), ($$'tt_nl', 'transaction_id={id}', 'amount=12,50', 'currency=EUR'$$),
    ($$'tt_nl', 'transaction_id={id}', 'amount={total}', 'currency=EUR', 'click_id={id}'$$), ($$'tt_nl', 'transaction_id={id}', 'amount={total}', 'currency=EUR', 'click_id={total}'$$), ($$'tt_nl', 'transaction_id={id}', 'amount={total}', 'currency=EUR', 'click_id=0::12345::abc::::1405418672'$$), ($$'tt_nl', 'transaction_id={id}', 'amount={total}', 'currency=EUR', 'click_id=CLICK_ID'$$),
    ($$'tt_nl', 'transaction_id={id}', 'amount={total}', 'currency=EUR', 'voucher={clicked}'$$), ($$'tt_nl', 'transaction_id={id}', 'amount={total}', 'currency=EUR', 'amount={total}'$$), ($$'tt_nl', 'transaction_id={id', 'amount={total}', 'currency=EUR'$$), ($$'tt_nl', 'transaction_id={{id}}', 'amount={total}', 'currency=EUR'$$),
    ($$'tt_nl', 'transaction_id={a{b}}', 'amount={total}', 'currency=EUR'$$), ($$'tt_nl', 'transaction_id={id}', 'amount={total}', 'currency=EUR', 'r=weekendjeweg-{x}…'$$), ($$'tt_nl', 'transaction_id={id}', 'amount={total}', 'currency=EUR', 'product_id=many'$$),
    ($$'tune', 'transaction_id={id}'$$), ($$'tune', 'transaction_id={id}', 'amount={price}'$$), ($$'tune', 'amount={total}'$$), ($$'tune', 'transaction_id={id}', 'amount={total}', 'click_id={id}'$$)
) t(arguments);
-- A template that names neither amount nor currency needs none.
create trigger no_amount after insert on orders for each row execute function s2s.report_sale('bare', 'transaction_id={id}');
drop trigger no_amount on orders;
select '>> ' || timing, refusal(format('create trigger bad %s execute function s2s.report_lead(''tt_nl'', ''transaction_id={id}'')', timing)) from (values
    ('before insert on orders for each row'), ('after delete on orders for each row'), ('after truncate on orders'), ('after insert on orders')
) t(timing);
select '>> ' || arguments, refusal(format('create trigger bad after update on orders for each row execute function s2s.edit_transaction(%s)', arguments)) from (values
    ($$'tt_nl', 'approved=no'$$), ($$'tune', 'approved=no'$$), ($$'lt_eu', 'click_id={id}', 'approved=no'$$), ($$'lt_eu', 'click_id=T-1', 'approved=no'$$), ($$'lt_eu', 'transaction_id={id}', 'merchant_payout={price}'$$), ($$'transaction_id={id}', 'approved=no'$$)
) t(arguments);
-- A column comes to hold numbers.
create trigger by_text after insert on orders for each row execute function s2s.report_lead('tt_nl', 'transaction_id={"a{b}"}', 'description={"say ""x"""}', 'click_id={clicked}');
select refusal('alter table orders alter clicked type numeric using 1');
insert into orders ("a{b}", "say ""x""", clicked) values ('B-1', 'hello', '987'), ('B-2', 'hello', '0%253A%253A12345%253A%253Aabc%253A%253A%253A%253A1405418672');
select transaction_id, parameters ->> 'description_merchant', due_at = 'infinity', last_error, s2s.callback_url(id) from s2s.queue where due_at < 'infinity' or last_error is null order by id;
select transaction_id, last_error from s2s.queue where due_at = 'infinity';
-- Functions.
select '>> ' || call, refusal('select s2s.' || call) from (values
    ($$lead_url('TT_NL', '1', '0::12345::abc::::1405418672')$$), ($$lead_url('transaction_id=1', '1', 'c')$$), ($$lead_url(null, '1', 'c')$$), ($$report_lead('tt_nl', null, '0::12345::abc::::1405418672')$$), ($$report_lead('tt_nl', '', '0::12345::abc::::1405418672')$$),
    ($$report_lead('tt_nl', E'a\tb', '0::12345::abc::::1405418672')$$), ($$lead_url('tt_nl', '1', null)$$), ($$sale_url('lt_eu', '1', 5, 'EUR', 'c')$$), ($$edit_url('tt_nl', 'T', approved => true)$$), ($$edit_url('tune', 'T', approved => true)$$), ($$lead_url('tune', '1', 'c')$$), ($$sale_url('tune', '1', null, null, 'c')$$),
    ($$sale_url('bare', '1', null, null, 'c')$$), ($$postback_url('https://t.example/?r=weekendjeweg-{x}', '{"X": 1}')$$), ($$postback_url('https://t.example/?r={x}', '{}')$$), ($$tradetracker_lead_url(1, 2, 'x', 'c', base_url => 'http://[TrackingURL.com]/')$$),
    ($$linktrust_edit_url('https://[Your Tracking URL]/', 'p', 'T', approved => true)$$), ($$linktrust_edit_url('https://t.example', '', 'T', approved => true)$$), ($$url_decode('10%')$$), ($$url_decode('%FF')$$), ($$url_decode('%00')$$)
) t(call);
select '>> ' || replace(file, E'\r', '\r'), refusal(format('select string_agg(line || '': '' || coalesce(problem, ''queued''), '', '' order by line) from s2s.linktrust_load(''lt_eu'', %L)', file)) from (values
    (E'TransactionID\tA\rT-1\tno\rT-2\tmaybe\r\rT-3\tno\r'), (E'Transaction\tA\r'), ('')
) t(file);
-- What an earlier version took stays, and its dump is restored: dumps turn this setting off.
set check_function_bodies = off;
create server of_old foreign data wrapper postback options (sale_url 'https://t.example.com/p?c=CLICK_ID&a={amount}', failure_body '');
create trigger of_old after insert on orders for each row execute function s2s.report_sale('tune', 'transaction_id={id}', 'amount={price}', 'click_id=0::12345::abc::::1405418672');
reset check_function_bodies;
select s2s.sale_url('of_old', '1', 5, 'EUR', 'c');
select refusal('alter server of_old options (add paused ''true'')');
alter table orders add column note text;
delete from s2s.queue;
insert into orders values (7, null, 5, 5);
select transaction_id, due_at = 'infinity', last_error from s2s.queue;
delete from s2s.queue;
drop table orders, prices;
drop server tt_nl; drop server any_id; drop server tune; drop server bare; drop server of_old; drop server lt_eu cascade;
