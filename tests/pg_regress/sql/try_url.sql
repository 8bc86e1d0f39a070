-- A query over many rows does not fail for one of them.
\pset null '∅'
create server tt foreign data wrapper tradetracker options (campaign_id '1234', product_id '56', click_ids 'any');
create server lt foreign data wrapper linktrust options (url 'https://track.example.com');
create server pb foreign data wrapper postback options (sale_url 'https://x.example/?a={amount}&c={click_id}');
create table orders (id bigint, total numeric, currency text, tt text);
insert into orders values
    (1, 10, 'EUR', 'c-1'), (2, -1, 'EUR', 'c-1'), (3, 'NaN', 'EUR', 'c-1'), (4, 10, 'EURO', 'c-1'), (5, null, 'EUR', 'c-1'),
    (6, 10, null, 'c-1'), (7, 10, 'EUR', 'not valid'), (8, 10, 'EUR', null), (null, 10, 'EUR', 'c-1');
select id, s2s.try_sale_url('tt', id, total, currency, s2s.try_click_id(tt)) as url from orders;
select s2s.try_lead_url('tt', 'T-1', 'c-1') = s2s.lead_url('tt', 'T-1', 'c-1'), s2s.try_lead_url('tt', E'T\n', 'c-1'), s2s.try_lead_url('tt', 'T-1'),
       s2s.try_lead_url('tt', 'T-1', 'c-1', parameters => '{"nonsense": 1}'), s2s.try_lead_url('tt', 'T-1', 'c-1', parameters => '[]'),
       s2s.try_lead_url('tt', 'T-1', 'c-1', product_id => -1);
select s2s.try_edit_url('lt', 'T-1', approved => false), s2s.try_edit_url('lt', 'T-1'), s2s.try_edit_url('lt', approved => false),
       s2s.try_edit_url('lt', merchant_reference_id => 'M-1', approved => false);
-- What is wrong with the server is an error.
select s2s.try_sale_url('no_server', 1, 1, 'EUR', 'c-1');
select s2s.try_sale_url(null, 1, 1, 'EUR', 'c-1');
select s2s.try_sale_url('lt', 1, 1, 'EUR', 'c-1');
select s2s.try_lead_url('pb', 1, 'c-1');
select s2s.try_edit_url('tt', 1, approved => false);
create role regress_analyst;
set role regress_analyst;
select s2s.try_sale_url('tt', 1, 1, 'EUR', 'c-1');
reset role;
drop role regress_analyst;

-- A million orders: several processes make the URLs.
create unlogged table million as
select n as id, 49.9 as total, 'EUR' as currency, ('c' || n)::s2s.click_id as click_id from generate_series(1, 1000000) n;
analyze million;
explain (costs off) select count(s2s.try_sale_url('tt', id, total, currency, click_id)) from million;
explain (costs off) select id, s2s.try_sale_url('tt', id, total, currency, click_id) from million;
explain (costs off) select id from million where s2s.try_sale_url('tt', id, total, currency, click_id) is null;
select proname, provolatile, proparallel, procost from pg_proc
where pronamespace = 's2s'::regnamespace and proname ~ '^(try_)?(lead|sale|edit)_url$' order by 1, 2;
drop table million;
