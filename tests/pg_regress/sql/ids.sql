-- Ids as shops have them: integers, numeric, uuid; literals go on meaning text.
\pset null '∅'
create server tt foreign data wrapper tradetracker options (campaign_id '1234', product_id '56', click_ids 'any');
create server lt foreign data wrapper linktrust options (url 'https://track.example.com', campaign_id '466744');
create domain order_number as bigint;
create domain order_name as text;
create table given (id text);
insert into given values
    ('''T-1'''), ('''T-1''::text'), ('''T-1''::varchar(9)'), ('''T-1''::char(9)'), ('''T-1''::name'), ('''T-1''::order_name'),
    ('''T-1''::s2s.click_id'), ('1'), ('1::smallint'), ('1::bigint'), ('1::order_number'), ('1.50'), ('1e3::numeric'),
    ('''11111111-2222-3333-4444-555555555555''::uuid'), ('null'), ('null::text'), ('null::bigint'), ('null::uuid'),
    ('1::real'), ('1.5::float8'), ('true'), ('''{}''::json'), ('''1''::jsonb'), ('''\x31''::bytea'), ('''1''::money'), ('array[1]'), ('array[''a'']'),
    ('row(1)'), ('now()'), ('''edit''::s2s.action'), ('1::oid');
select id, refusal(format('select regexp_replace(s2s.lead_url(''tt'', %s, ''c''), ''^.*&tid=|&descr.*$'', '''', ''g'')', id)) as tid from given;

-- Every function, positional and named, with a server of each type of string.
select refusal(format(call, id)) from (values ('1::bigint'), ('''1''')) as id(id), (values
    ('select s2s.tradetracker_lead_url(1234, 56, %s, ''c'')'),
    ('select s2s.tradetracker_sale_url(1234, 56, %s, 1, ''EUR'', ''c'', voucher_code => ''V'')'),
    ('select s2s.linktrust_edit_url(''https://track.example.com'', ''p'', %s, approved => false)'),
    ('select s2s.linktrust_edit_url(''https://track.example.com'', ''p'', merchant_reference_id => %s, campaign_id => ''5'', approved => false)'),
    ('select s2s.lead_url(server => ''tt'', transaction_id => %s, click_id => ''c'')'),
    ('select s2s.lead_url(''tt''::varchar, %s, ''c'')'),
    ('select s2s.lead_url(''tt''::char(5), %s, ''c'')'),
    ('select s2s.lead_url(srvname, %s, ''c'') from pg_foreign_server where srvname = ''tt'''),
    ('select s2s.sale_url(''tt'', %s, 1, ''EUR'', ''c''::s2s.click_id, parameters => ''{}'')'),
    ('select s2s.try_lead_url(''tt'', %s, ''c'')'),
    ('select s2s.try_sale_url(''tt'', %s, 1, ''EUR'', ''c'')'),
    ('select s2s.try_edit_url(''lt'', %s, approved => false)'),
    ('select s2s.edit_url(''lt'', %s, approved => false)'),
    ('select s2s.edit_url(''lt'', %s, null, null, null, false)'),
    ('select s2s.edit_url(''lt'', null, null, %s, null, false)'),
    ('select s2s.edit_url(''lt'', merchant_reference_id => %s, approved => false)'),
    ('select s2s.report_lead(''tt'', %s, ''c'') > 0'),
    ('select s2s.report_sale(server => ''tt'', transaction_id => %s, amount => 1, currency => ''EUR'', click_id => ''c'') > 0'),
    ('select s2s.edit_transaction(''lt'', %s, approved => false) > 0'),
    ('select s2s.edit_transaction(''lt'', merchant_reference_id => %s, approved => false) > 0')) as call(call);
select server, action, transaction_id, parameters from s2s.queue order by id;

-- Without any id, nothing is ambiguous.
select s2s.edit_url('lt', click_id => 'c', approved => false);
select s2s.edit_url('lt', null, 'c', null, null, false);
select s2s.edit_url('lt', approved => false);

-- Parameters: without a type they are text.
prepare without_type as select s2s.sale_url('tt', $1, 1, 'EUR', 'c');
prepare with_type (bigint) as select s2s.sale_url('tt', $1, 1, 'EUR', 'c');
select name, parameter_types from pg_prepared_statements where name like 'with%' order by 1;
execute without_type ('T-1');
execute with_type (7);
do $$
declare
    number bigint := 7; uuid uuid := '11111111-2222-3333-4444-555555555555';
begin
    raise notice '%', s2s.lead_url('tt', number, 'c');
    raise notice '%', s2s.edit_url('lt', merchant_reference_id => uuid, approved => true);
end $$;

-- PostgreSQL sees through them; who may not call the form of text may not call these.
explain (verbose, costs off) select s2s.lead_url('tt', n, 'c') from generate_series(1, 3) n;
create role regress_clerk;
grant usage on foreign server tt to regress_clerk;
set role regress_clerk;
select s2s.report_lead('tt', 8, 'c');
reset role;
grant execute on function s2s.report_lead(text, text, s2s.click_id, text, text, text, bigint, text, jsonb) to regress_clerk;
set role regress_clerk;
select s2s.report_lead('tt', 8, 'c') > 0;
reset role;
drop owned by regress_clerk; drop role regress_clerk;

-- The form of text is what GRANTs and names mean, and every function with such an id has the other.
select 's2s.report_lead(text, text, s2s.click_id, text, text, text, bigint, text, jsonb)'::regprocedure is not null;
select p.proname from pg_proc p
where p.pronamespace = 's2s'::regnamespace and p.proargmodes is null and p.proargnames && array['transaction_id', 'merchant_reference_id']
group by p.proname having count(*) <> 2 or count(distinct (provolatile, proparallel, procost, prorettype)) <> 1;
