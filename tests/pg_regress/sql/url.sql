-- URL functions: exact results, and every argument that is refused.
select s2s.url_encode('AZaz09-._~ !"#$%&''()*+,/:;<=>?@[\]^`{|}ü€' || E'\n');
select s2s.url_decode('new%20player%2b+%e2%82%ac');
select s2s.url_decode('%');
select s2s.url_decode('ab%4');
select s2s.url_decode('%zz');
select s2s.url_decode('%C3%28');
select s2s.url_decode('a%00');
select s2s.url_encode(null) is null, s2s.url_decode(null) is null;

select s2s.tradetracker_lead_url(1234, 56, '123456', '0::12345::reference::::1405418672', 'new player', 'new player')
     = 'https://tl.tradetracker.net/?s2s=1&cid=1234&pid=56&tgi=&tid=123456&descrMerchant=new%20player&descrAffiliate=new%20player&data=0%3A%3A12345%3A%3Areference%3A%3A%3A%3A1405418672' as exact;
select s2s.tradetracker_sale_url(1234, 56, '987', 49.9, 'EUR', '0::12345::reference::::1405418672', voucher_code => 'SUMMER 10%')
     = 'https://ts.tradetracker.net/?s2s=1&cid=1234&pid=56&tgi=&tid=987&tam=49.90&descrMerchant=&descrAffiliate=&currency=EUR&data=0%3A%3A12345%3A%3Areference%3A%3A%3A%3A1405418672&vc=SUMMER%2010%25' as exact;
select s2s.tradetracker_lead_url(campaign_id => 1, product_id => 2, transaction_id => 'ü &=', click_id => null,
    description_merchant => 'a', description_affiliate => 'b', voucher_code => 'V+1', tracking_group_id => '7', base_url => 'https://t.shop.example/l');
select s2s.tradetracker_sale_url(1, 2, 'x', a, 'eur', 'c') from unnest('{0,1,49.994,49.995,0.005,1234567.891,100000000000000000000.5}'::numeric[]) a;

-- A text is read whole however it is stored: with a short header or a long one, compressed, elsewhere, and beyond ASCII.
create temp table description (how text, inside text, outside text);
alter table description alter column outside set storage external;
insert into description values
    ('short', 'a b', null), ('short, not ASCII', 'ü', null), ('long', repeat('a b', 100), null), ('long, not ASCII', repeat('ü', 100), null),
    ('compressed', repeat('a b', 2000), null), ('compressed, not ASCII', repeat('ü', 2000), null), ('elsewhere', null, repeat('a b', 2000));
select how, pg_column_size(inside), pg_column_compression(inside), length(url),
       url = 'https://tl.tradetracker.net/?s2s=1&cid=1&pid=2&tgi=&tid=x&descrMerchant=' || s2s.url_encode(coalesce(inside, outside)) || '&descrAffiliate=&data=c' as exact
from description, s2s.tradetracker_lead_url(1, 2, 'x', 'c', coalesce(inside, outside)) url;

\pset format unaligned
\pset tuples_only on
-- Amounts and currencies.
select refusal(format($$select s2s.tradetracker_sale_url(1, 2, 'x', %s, %L, 'c')$$, amount, currency)) from (values
    ($$'NaN'$$, 'EUR'), ($$'Infinity'$$, 'EUR'), ($$'-Infinity'$$, 'EUR'), ('-0.01', 'EUR'), ('-5', 'EUR'), ('1e300', 'EUR'), ('1e24', 'EUR'), ('null', 'EUR'),
    ('1', 'EURO'), ('1', '€'), ('1', ''), ('1', 'ABC'), ('1', ' EUR'), ('1', '{currency}'), ('1', null)
) t(amount, currency);
-- Ids.
select refusal(format($$select s2s.tradetracker_lead_url(%s, %s, %s, %s)$$, campaign, product, transaction, click)) from (values
    ('0', '2', $$'x'$$, $$'c'$$), ('-1', '2', $$'x'$$, $$'c'$$), ('null', '2', $$'x'$$, $$'c'$$),
    ('1', '0', $$'x'$$, $$'c'$$), ('1', 'null', $$'x'$$, $$'c'$$),
    ('1', '2', $$''$$, $$'c'$$), ('1', '2', 'null', $$'c'$$), ('1', '2', $$'  '$$, $$'c'$$), ('1', '2', $$E'a\r\nHost: evil'$$, $$'c'$$),
    ('1', '2', $$'x'$$, 'null'), ('1', '2', $$'x'$$, $$''$$), ('1', '2', $$'x'$$, $$'a b'$$)
) t(campaign, product, transaction, click);
-- Base URLs.
select refusal(format($$select s2s.tradetracker_lead_url(1, 2, 'x', 'c', base_url => %L)$$, base)) from (values
    (''), ('tl.tradetracker.net'), ('//tl.tradetracker.net/'), ('ftp://tl.tradetracker.net/'), ('file:///etc/passwd'), ('javascript:alert(1)'),
    ('https://user:s3cret@tl.tradetracker.net/'), ('https://tl.tradetracker.net/#x'), ('https://tl.tradetracker.net/?x=1'),
    ('https://tl.tradetracker.net/a b'), (E'https://tl.tradetracker.net/\r\n'), ('https://exämple.com/'), ('https:///'), ('https://host:99999/'), ('https://host/%zz'),
    ('https://t.shop.example'), ('http://t.shop.example:8080/l')
) t(base);

select proname, provolatile, proparallel from pg_proc
where pronamespace = 's2s'::regnamespace and proname in ('url_encode', 'url_decode', 'tradetracker_lead_url', 'tradetracker_sale_url', 'lead_url', 'sale_url')
order by 1;
