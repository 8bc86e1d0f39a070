-- The type click_id: what goes in comes out, compares by bytes, indexes, joins, casts.
\pset null '∅'
create table visitor (id int, click_id s2s.click_id);
insert into visitor values
    (1, '0::12345::reference::::1405418672'),
    (2, '0%3A%3A12345%3A%3Areference%3A%3A%3A%3A1405418672'),
    (3, '12::54321::def::::1405419867'),
    (4, '0::18897::::c83b23df3e4be73b2aa751dbd2fc248e::1405418672'),
    (5, '1234567::12345::https://a.example/x::y::0:3:AbC+/dEf0123==::1405418672'),
    (6, '04_835477_fb93f424-788d-4c48-bfb1-98516f855839'),
    (7, 'EAIaIQobChMI!''()._-|,'),
    (8, '0::1::two words::::1405418672'),
    (9, 'a%3A%3Ab'),
    (10, null);
select id, click_id, s2s.network(click_id), s2s.material_id(click_id) as material,
       s2s.affiliate_id(click_id) as affiliate, s2s.reference(click_id),
       s2s.checksum(click_id)
from visitor order by id;
set timezone = 'UTC';
select id, s2s.clicked_at(click_id) from visitor where s2s.network(click_id) = 'tradetracker' order by id;
select id, s2s.checksum_ok(click_id, 14986), s2s.checksum_ok(click_id, 14987) from visitor order by id;

-- Operators and operator classes.
select count(*) from visitor a join visitor b on a.click_id = b.click_id;
set enable_mergejoin = off; set enable_nestloop = off;
explain (costs off) select from visitor a join visitor b using (click_id);
reset enable_mergejoin; reset enable_nestloop;
select click_id, count(*) from visitor group by click_id having count(*) > 1;
select 'a'::s2s.click_id < 'b', 'a'::s2s.click_id <= 'a', 'B'::s2s.click_id > 'a',
       'é'::s2s.click_id >= 'z', 'a'::s2s.click_id <> 'A';
select id from visitor where click_id in ('12::54321::def::::1405419867', 'a%3A%3Ab') order by click_id;
create table unique_visitor (click_id s2s.click_id primary key);
insert into unique_visitor select distinct click_id from visitor where click_id is not null;
insert into unique_visitor values ('a%3A%3Ab');
create index on visitor using hash (click_id);
set enable_seqscan = off; set enable_bitmapscan = off;
explain (costs off) select * from visitor where click_id = 'x';
explain (costs off) select * from unique_visitor order by click_id desc limit 1;
reset enable_seqscan; reset enable_bitmapscan;
select opcname, amname from pg_opclass join pg_am on pg_am.oid = opcmethod
where opcintype = 's2s.click_id'::regtype and opcdefault order by amname;

-- Stored like text.
select pg_column_size('abc'::s2s.click_id), pg_column_size('abc'::text), typlen, typstorage
from pg_type where oid = 's2s.click_id'::regtype;

-- Type modifiers.
create table by_network (tt s2s.click_id(tradetracker), lt s2s.click_id(LinkTrust));
select attname, format_type(atttypid, atttypmod) from pg_attribute
where attrelid = 'by_network'::regclass and attnum > 0 order by attnum;
insert into by_network values ('0::12345::reference::::1405418672', 'T-1');
insert into by_network (tt) select click_id from visitor where id = 4;
insert into by_network (tt) select click_id from visitor where id = 6;
insert into by_network (lt) select click_id from visitor where id = 6;
insert into by_network (tt) values ('T-1');
insert into by_network (lt) values ('T 1');
alter table visitor alter click_id type s2s.click_id(tradetracker);
create table bad (click_id s2s.click_id(awin));
create table bad (click_id s2s.click_id(tradetracker, linktrust));
create table bad (click_id s2s.click_id(5));

-- Casts: to click_id by assignment, never implicitly.
create table texts (t text, v varchar(99));
insert into texts select click_id, click_id from visitor where id = 1;
insert into visitor select 11, t from texts;
insert into visitor select 12, v from texts;
insert into visitor select 13, t || ' ' from texts;
select id from visitor where click_id = (select t from texts);
select id from visitor where click_id = (select t::s2s.click_id from texts) order by id;
select castcontext, castmethod, castsource::regtype, casttarget::regtype from pg_cast
where 's2s.click_id'::regtype in (castsource, casttarget) order by castsource, casttarget;

-- Binary send and receive.
select s2s.click_id_send(click_id) = convert_to(click_id::text, 'UTF8') as sends_its_text from visitor where id = 5;

-- From a landing page.
select s2s.click_id_from_url('http://yourwebsite.com/landing/page?someparameter=0%3A%3A12345%3A%3Areference%3A%3A%3A%3A1405418672', 'someparameter');
select s2s.click_id_from_url('https://shop.example/?a=1&tt=', 'tt'), s2s.click_id_from_url('https://shop.example/', 'tt');
-- What visitors bring along never fails the insert.
create table landing (url text, click_id s2s.click_id);
insert into landing select url, s2s.click_id_from_url(url, 'tt') from (values
    ('https://shop.example/?tt=c-1'), ('https://shop.example/?tt=a%20b'), ('https://shop.example/?tt=%zz'), ('?tt=%FF'), ('?tt=%00'),
    ('?tt='), ('?tt'), ('?TT=c-1'), ('?tt=[marker]c-1[/marker]'), ('tt=c-1'), ('?a=%zz&tt=c-2'), ('')) as visit(url);
select url, click_id from landing;
drop table landing;

-- Never an error.
select s2s.is_click_id('abc'), s2s.is_click_id('a b'), s2s.is_click_id(''), s2s.is_click_id(null),
       s2s.is_click_id('abc', 'tradetracker'), s2s.is_click_id('abc', 'linktrust'), s2s.is_click_id('abc', 'nonsense');
select given, s2s.try_click_id(given), s2s.try_click_id(given, 'tradetracker') as tradetracker, s2s.try_click_id(given, 'LinkTrust') as linktrust
from (values ('abc'), ('a b'), (''), (null), ('0%3A%3A12345%3A%3Aabc%3A%3A%3A%3A1405418672'), ('04_835477_fb93f424-788d-4c48-bfb1-98516f855839')) as value(given);
select s2s.try_click_id('abc', 'nonsense'), s2s.try_click_id('abc '::char(9)), s2s.try_click_id('abc'::s2s.click_id), pg_typeof(s2s.try_click_id('abc'));
select bool_and(s2s.is_click_id(given) = (s2s.try_click_id(given) is not null))
from (values ('abc'), ('a b'), (''), (repeat('x', 513)), (repeat('%41', 200)), ('%')) as value(given);
-- An encoded id is as long as its decoded value.
select length(given), length(given::s2s.click_id), s2s.is_click_id(given)
from (select s2s.url_encode('0::12345::' || repeat('€', 84) || '::::1405418672')) as value(given);

select count(*), bool_and(provolatile = 'i' and proisstrict and proparallel = 's') from pg_proc
where pronamespace = 's2s'::regnamespace
  and proname in ('network', 'material_id', 'affiliate_id', 'reference', 'checksum', 'clicked_at', 'checksum_ok', 'is_click_id', 'try_click_id', 'click_id_from_url');
drop table visitor, unique_visitor, by_network, texts;
