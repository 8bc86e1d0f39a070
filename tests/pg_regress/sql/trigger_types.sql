-- Every type of column becomes the text that psql shows.
create server games_nl foreign data wrapper tradetracker options (campaign_id '1234', product_id '56', click_ids 'any');
create server any_sale foreign data wrapper postback options (sale_url 'https://net.example/c?id={transaction_id}&v={value}&c={click_id}');
create type mood as enum ('happy', 'it''s fine');
create type pair as (a int, b text);
create domain positive as numeric check (value > 0);
create domain our_click as s2s.click_id(tradetracker);
set timezone = 'UTC';
set datestyle = 'ISO';
create function types(definition text, value text) returns text language plpgsql as $$
declare
    queued record;
begin
    execute format('create table t (id int, dropped text, value %s, later text, click_id s2s.click_id)', definition);
    alter table t drop column dropped;
    create trigger report after insert on t for each row execute function s2s.report_sale('any_sale', 'transaction_id={id}', 'value=<{value}>', 'click_id={click_id}');
    create trigger report_all after insert on t referencing new table as new_rows for each statement execute function s2s.report_sale('any_sale', 'transaction_id={id}', 'value=<{value}>', 'click_id={click_id}');
    if value is null then
        insert into t (id, click_id) values (1, 'c');
    else
        execute format('insert into t (id, value, click_id) values (1, %s, ''c'')', value);
    end if;
    select count(*) as n, min(parameters ->> 'value') as least, max(parameters ->> 'value') as most, max(last_error) as error into queued from s2s.queue;
    delete from s2s.queue;
    drop table t;
    if queued.n <> 2 or queued.least <> queued.most then
        return format('%s callbacks: %s, %s', queued.n, queued.least, queued.most);
    end if;
    return coalesce(queued.error, queued.most);
end $$;
select definition, types(definition, value) from (values
    ('int', '42'), ('int', 'null'), ('bigint', '-9223372036854775808'), ('smallint', '7'),
    ('numeric', '12345678901234567890.123456789'), ('numeric(10,2)', '49.9'), ('numeric', '''NaN'''),
    ('real', '0.1'), ('double precision', '0.1 + 0.2::float8'), ('double precision', '''-Infinity'''),
    ('boolean', 'true'), ('text', '''{a} 100% &=#'''), ('text', 'E''line\nbreak\ttab'''), ('char(5)', '''ab'''), ('char(5)', ''''''), ('varchar', ''''''), ('"char"', '''x'''), ('name', '''n'''),
    ('date', '''2014-07-15'''), ('timestamptz', '''2014-07-15 10:04:32+00'''), ('timestamp', '''infinity'''), ('interval', '''1 day 2 hours'''), ('time', '''10:04'''),
    ('uuid', '''fb93f424-788d-4c48-bfb1-98516f855839'''), ('inet', '''10.0.0.1/8'''), ('bytea', '''\x00ff'''), ('bit(3)', 'B''101'''),
    ('mood', '''it''''s fine'''), ('positive', '3.5'), ('pair', 'row(1, ''x y'')'), ('int[]', '''{1,2,null}'''), ('mood[]', '''{happy}'''),
    ('json', '''{"a": 1}'''), ('jsonb', '''{"b":1,"a":[1, 2]}'''), ('int4range', '''[1,5)'''), ('point', '''(1,2)'''), ('tsvector', '''a b'''), ('regclass', '''pg_class'''),
    ('s2s.click_id', '''0%3A%3A12345%3A%3Areference%3A%3A%3A%3A1405418672'''), ('our_click', '''0::12345::reference::::1405418672'''),
    ('int generated always as (id + 41) stored', null), ('int default 7', null), ('int generated always as identity', null), ('serial', null)
) t(definition, value);
-- Not every PostgreSQL is built with libxml.
select setting like '%libxml%' as has_xml from pg_config where name = 'CONFIGURE' \gset
\if :has_xml
    select types('xml', '''<a/>''');
\else
    select '<<a/>>' as types;
\endif
-- Values that are stored out of line, and missing ones of columns that were added later.
create table big (id int, body text, click_id s2s.click_id);
insert into big values (1, 'x', 'c');
alter table big add column value text default 'added';
create trigger report after update on big for each row execute function s2s.report_sale('any_sale', 'transaction_id={id}', 'value={value}-{body}');
create trigger report_all after update on big referencing new table as new_rows for each statement execute function s2s.report_sale('any_sale', 'transaction_id={id}', 'value={value}-{body}');
update big set id = 2;
select transaction_id, parameters ->> 'value' as value from s2s.queue order by id;
delete from s2s.queue;
alter table big alter column body set storage external;
update big set body = repeat('0123456789', 6000);
update big set id = 3;
select transaction_id, length(parameters ->> 'value') as length, md5(parameters ->> 'value') = md5('added-' || repeat('0123456789', 6000)) as same from s2s.queue order by id;
delete from s2s.queue;
-- A value that is too large to be written as text does not fail the statement.
create table blobs (id int, body bytea, click_id s2s.click_id);
create trigger report after insert on blobs for each row execute function s2s.report_lead('games_nl', 'transaction_id={id}', 'description={body}');
create trigger report_all after insert on blobs referencing new table as new_rows for each statement execute function s2s.report_lead('games_nl', 'transaction_id={id}', 'description={body}');
alter table blobs alter column body set storage external;
insert into blobs select 1, convert_to(repeat('x', 17000000), 'UTF8'), 'c';
select transaction_id, parameters, due_at, last_error from s2s.queue;
delete from s2s.queue;
drop table blobs;
-- A voucher of fixed length is the voucher; an empty one is none.
create table fixed (id char(4), total numeric, voucher char(8), click_id char(40));
create trigger report after insert on fixed for each row execute function s2s.report_sale('games_nl', 'transaction_id={id}', 'amount={total}', 'currency=EUR', 'voucher_code={voucher}', 'click_id={click_id}');
insert into fixed values ('b1', 5, '', null), ('b2', 5, '', ''), ('b3', 5, 'SUMMER', null), ('b4', 5, ' ', '0::12345::reference::::1405418672');
select transaction_id, click_id, due_at < 'infinity' as valid, s2s.callback_url(id) from s2s.queue order by id;
delete from s2s.queue;
drop table fixed;
-- Sums of all kinds are amounts; what is none is parked.
create function amounts(definition text, value text) returns table(amount text, error text) language plpgsql as $$
begin
    execute format('create table t (id int, total %s, click_id s2s.click_id)', definition);
    create trigger report after insert on t for each row execute function s2s.report_sale('games_nl', 'transaction_id={id}', 'amount={total}', 'currency=EUR');
    execute format('insert into t values (1, %s, ''c'')', value);
    return query select substring(case when due_at < 'infinity' then s2s.callback_url(id) end from 'tam=([^&]*)'), last_error from s2s.queue;
    delete from s2s.queue;
    drop table t;
end $$;
select definition, value, a.* from (values
    ('numeric', '49.9'), ('numeric', '0.005'), ('numeric', '1e3'), ('int', '5'), ('real', '19.99'), ('double precision', '0.1::float8 + 0.2::float8'), ('double precision', '1e20'),
    ('text', '''12,50'''), ('text', '''€ 5'''), ('numeric', '''NaN'''), ('real', '''Infinity'''), ('numeric', '-0.01'), ('numeric', 'null'), ('text', ''' 5''')
) t(definition, value), amounts(definition, value) a;
-- However many digits a session likes to see.
set extra_float_digits = -10;
select definition, value, a.* from (values ('real', '12345.67'), ('double precision', '123456.78')) t(definition, value), amounts(definition, value) a;
reset extra_float_digits;
-- A domain over click_id is a column of click ids.
create table visits (id int, click our_click);
create trigger report after insert on visits for each row execute function s2s.report_lead('games_nl', 'transaction_id={id}');
insert into visits values (1, '0::12345::reference::::1405418672'), (2, null);
select transaction_id, click_id from s2s.queue;
delete from s2s.queue;
drop table big, visits;
drop function types(text, text);
drop function amounts(text, text);
drop server games_nl;
drop server any_sale;
