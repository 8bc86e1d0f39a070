-- A click id is compared with text, and passed as text, as a varchar is.
\pset null '∅'
create table visit (id int primary key, click_id s2s.click_id, said text collate "C");
insert into visit select n, 'c' || n, 'c' || n from generate_series(1, 5000) n;
create unique index visit_btree on visit (click_id);
create table import (id int, t text, v varchar(20), b char(20), d name);
insert into import select n, 'c' || n, 'c' || n, 'c' || n, 'c' || n from generate_series(4991, 5010) n;
vacuum analyze visit, import;

-- The index serves them all.
explain (costs off) select id from visit where click_id = 'c7'::text;
explain (costs off) select id from visit where 'c7'::varchar = click_id;
explain (costs off) select id from visit where click_id = 'c7'::char(20);
explain (costs off) select id from visit where click_id = any ('{c7,c8}'::text[]);
explain (costs off) select id from visit where click_id = any ('{c7,c8}'::varchar[]);
explain (costs off) select id from visit where click_id in ('c7', 'c8');
explain (costs off) select id from visit where click_id in ('c7'::text, 'c8'::text);
explain (costs off) select id from visit where click_id > 'c498'::text and click_id <= 'c499'::text;
set enable_hashjoin = off; set enable_mergejoin = off;
explain (costs off) select visit.id from import join visit on click_id = t;
reset enable_hashjoin; reset enable_mergejoin;
select array_agg(id order by id) from visit where click_id = any ('{c7,c8,nothing,"not valid"}'::text[]);
select count(*) from visit where click_id > 'c498'::text and click_id <= 'c499'::text;
drop index visit_btree;
create index visit_hash on visit using hash (click_id);
explain (costs off) select id from visit where click_id = 'c7'::text;
select id from visit where click_id = 'c7'::char(20);
drop index visit_hash;

-- Joins, by every method.
set enable_nestloop = off; set enable_mergejoin = off;
explain (costs off) select from visit join import on click_id = t;
select count(*) from visit join import on click_id = t;
select count(*) from visit join import on v = click_id;
select count(*) from visit join import on click_id = b;
select count(*) from visit where click_id in (select t from import);
select count(*) from visit where click_id not in (select t from import);
set enable_mergejoin = on; set enable_hashjoin = off; set enable_hashagg = off;
explain (costs off) select from visit join import on click_id = t;
select count(*) from visit join import on click_id = t;
select count(*) from visit join import on t = click_id and said = t;
select count(*) from import where t in (select click_id from visit);
set enable_mergejoin = off; set enable_nestloop = on;
select count(*) from visit where click_id in (select t from import);
reset all;

-- Order and equality are those of the bytes, whatever the collation of the text.
create collation any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
create table spelt (t text collate any_case);
insert into spelt values ('abc'), ('ABC'), ('Abc');
create table id (id s2s.click_id);
insert into id values ('ABC'), ('abc');
set enable_nestloop = off; set enable_mergejoin = off;
select t from spelt join id on t = id.id order by t collate "C";
set enable_mergejoin = on; set enable_hashjoin = off;
select t from spelt join id on t = id.id order by t collate "C";
reset all;
select count(*) from id where id in (select t from spelt);
select id < 'a'::text, id <= 'abc'::text, id > 'B'::text, id >= 'abd'::text, id <> 'abc'::text,
       'a'::text < id, 'abc'::text <= id, 'B'::text > id, 'abd'::text >= id, 'abc'::text <> id, 'abc'::text = id
from id order by id;

-- What the planner and amcheck rely on: the families are complete.
select amname, amvalidate(pg_opclass.oid) from pg_opclass join pg_am on pg_am.oid = opcmethod
where opcname = 'click_id_ops' order by 1;

-- A literal is a click id; a parameter of no type, too.
select id from visit where click_id = 'not valid';
select id from visit where click_id in ('c7', 'not valid');
select id from visit where click_id = '';
prepare one as select id from visit where click_id = $1;
prepare several as select id from visit where click_id = any ($1);
prepare as_text (text) as select id from visit where click_id = $1;
select name, parameter_types from pg_prepared_statements where name in ('one', 'several', 'as_text') order by 1;
execute one ('c7'); execute several ('{c7}'); execute as_text ('not valid');
create domain name_of_click as text;
select id from visit where click_id = 'c7'::name_of_click;
create domain own_click as s2s.click_id;
select id from visit where click_id::own_click = 'c7' and click_id::own_click = 'c7'::text;
do $$
declare
    given text := 'c7'; found int;
begin
    select id into found from visit where click_id = given;
    raise notice 'found %', found;
end $$;

-- Whatever takes text takes a click id.
select click_id like 'c7%', click_id ~ '^c', length(click_id), left(click_id, 1), upper(click_id), substr(click_id, 2),
       click_id || '-x', 'x-' || click_id, click_id || click_id, click_id || ' ', concat(click_id, '-x'), md5(click_id),
       quote_literal(click_id), format('%s', click_id), split_part(click_id, '7', 1), s2s.url_encode(click_id)
from visit where id = 7;
select min(click_id), max(click_id), pg_typeof(max(click_id)), string_agg(click_id, ',' order by id) from visit where id < 4;
select coalesce(click_id, 'none'), coalesce(click_id, ' '::text), coalesce(click_id, ' '::varchar), greatest(click_id, 'd'), least(click_id, 'b'::text),
       case id when 7 then click_id else 'a b'::text end, nullif(click_id, said), array[click_id, said], click_id is distinct from said,
       jsonb_build_object('click', click_id), to_json(click_id), row(click_id) = row(said)
from visit where id = 7;
select coalesce(click_id, '') from visit where id = 7;
select click_id from visit where id = 7 union select t from import where id = 5000 union all select v from import where id = 5000 order by 1;
select count(*) from visit join (select t as click_id from import) as imported using (click_id);
select array[click_id]::text[] || 'x'::text, 'c7'::text = any (array[click_id]) from visit where id = 7;
create function takes_varchar(v varchar) returns text language sql as 'select v';
select takes_varchar(click_id) from visit where id = 7;

-- And nothing else has changed its meaning.
select 'a' = 'a', 'a' < 'b', 'a'::varchar = 'a', 'a'::name = 'a', 'a' = 'a '::char(3), 'a'::name = 'a'::text, 'a' || 'b';

-- Assignment: text, varchar and char(n), which has blanks behind it; no number, no JSON with its quotes.
insert into visit (id, click_id) values (-1, 'c-1'::text), (-2, 'c-2'::varchar(9)), (-3, 'c-3'::char(9));
select id, click_id, length(click_id) from visit where id < 0 order by id desc;
insert into visit (id, click_id) select -4, ' '::char(9);
insert into visit (id, click_id) values (-4, 17);
insert into visit (id, click_id) select -4, 17.5;
insert into visit (id, click_id) select -4, '"c-4"'::jsonb;
insert into visit (id, click_id) select -4, '{"click": "c-4"}'::jsonb ->> 'click';
select click_id from visit where id = -4;
create table networks (tt s2s.click_id(tradetracker));
insert into networks values ('0::12345::abc::::1405418672'::char(40));
insert into networks values ('c-1'::char(40));
