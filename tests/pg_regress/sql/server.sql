-- Servers: options checked at CREATE and ALTER, rights by USAGE.
create server games_nl foreign data wrapper tradetracker options (campaign_id '1234', product_id '56', click_ids 'any');
\pset format unaligned
\pset tuples_only on
select refusal('create server bad foreign data wrapper tradetracker');
select refusal('create server bad foreign data wrapper tradetracker options (campaign_id ''1'')');
select refusal(format('create server bad foreign data wrapper tradetracker options (campaign_id %L, product_id %L)', campaign, product))
from (values ('0', '1'), ('-1', '1'), ('x', '1'), ('', '1'), ('1', '1.5'), ('1', '9223372036854775808')) t(campaign, product);
select refusal(format('alter server games_nl options (add %I %L)', option, value)) from (values
    ('time_out', '10s'), ('password', 's3cret'), ('url', 'https://x.example/'),
    ('lead_url', 'tl.tradetracker.net'), ('lead_url', 'http://tl.example/'), ('sale_url', 'https://user:s3cret@ts.example/'), ('sale_url', 'https://ts.example/?a=1'),
    ('max_in_flight', '0'), ('max_in_flight', '257'), ('max_in_flight', 'many'),
    ('requests_per_second', '0'), ('requests_per_second', '-1'), ('requests_per_second', 'NaN'), ('requests_per_second', '1e9'), ('requests_per_second', '1e-20'),
    ('timeout', '10'), ('timeout', '50ms'), ('timeout', '3m'), ('timeout', 'soon'),
    ('max_attempts', '0'), ('max_attempts', '51'),
    ('retry_schedule', ''), ('retry_schedule', '5s,,1m'), ('retry_schedule', '5'), ('retry_schedule', '5s,40d'),
    ('retry_ambiguous', 'maybe'), ('paused', ''), ('allow_http', 'si'), ('ca_file', 'relative.pem')
) t(option, value);
select refusal('create user mapping for public server games_nl options (password ''s3cret'')');
select refusal('alter foreign data wrapper tradetracker options (add debug ''1'')');
\pset format aligned
\pset tuples_only off
alter server games_nl options (
    add tracking_group_id '7', add lead_url 'https://t.shop.example/l', add max_in_flight '4', add requests_per_second '2.5',
    add timeout '500ms', add max_attempts '3', add retry_schedule '1s, 2m, 3h, 1d', add retry_ambiguous 'off', add paused 'true',
    add allow_http 'false');
-- A ca_file that cannot be read now.
alter server games_nl options (add ca_file '/nowhere/own.pem');
create server bad foreign data wrapper tradetracker options (campaign_id '1', product_id '2', ca_file '/etc/passwd');
-- The status says what is wrong.
update pg_foreign_server set srvoptions = srvoptions || '{ca_file=/nowhere/own.pem}' where srvname = 'games_nl';
select state, problem from s2s.server_status where server = 'games_nl';
alter server games_nl options (set timeout '600ms');
alter server games_nl options (drop ca_file);
update pg_foreign_server set srvoptions = '{campaign_id=x,product_id=1,click_ids=any}' where srvname = 'games_nl';
select state, problem from s2s.server_status where server = 'games_nl';
alter server games_nl options (
    set campaign_id '1234', set product_id '56', add tracking_group_id '7', add lead_url 'https://t.shop.example/l');
select state, problem from s2s.server_status where server = 'games_nl';
select s2s.lead_url('games_nl', '1', 'c');
select s2s.lead_url('games_nl', '1', 'c', product_id => 9, tracking_group_id => '8', parameters => '{"description_merchant": "x"}');
select s2s.sale_url('games_nl', '987', 49.9, 'EUR', '0::12345::reference::::1405418672', voucher_code => 'SUMMER 10%');
alter server games_nl options (drop campaign_id);

-- What is refused when a URL is built.
select s2s.lead_url('nowhere', '1', 'c');
select s2s.lead_url(null, '1', 'c');
select s2s.lead_url('games_nl', '1', 'c', parameters => '{"vouchr_code": "x"}');
select s2s.lead_url('games_nl', '1', 'c', parameters => '{"amount": 5}');
select s2s.lead_url('games_nl', '1', 'c', parameters => '[1]');
select s2s.lead_url('games_nl', '1', 'c', parameters => '{"voucher_code": {"a": 1}}');
select s2s.lead_url('games_nl', '1', 'c', voucher_code => 'V', parameters => '{"voucher_code": "W"}');
select s2s.lead_url('games_nl', '1', 'c', product_id => 0);
create foreign data wrapper other;
create server elsewhere foreign data wrapper other;
select s2s.lead_url('elsewhere', '1', 'c');

-- USAGE is the right to use a server; ca_file is for superusers.
create role merchant;
set role merchant;
select s2s.lead_url('games_nl', '1', 'c');
reset role;
grant usage on foreign server games_nl to merchant;
grant usage on foreign data wrapper tradetracker to merchant;
set role merchant;
select s2s.lead_url('games_nl', '1', 'c');
create server own foreign data wrapper tradetracker options (campaign_id '1', product_id '2', ca_file '/etc/passwd');
create server own foreign data wrapper tradetracker options (campaign_id '1', product_id '2', click_ids 'any');
reset role;
drop server own, games_nl, elsewhere;
drop foreign data wrapper other;
revoke all on foreign data wrapper tradetracker from merchant;
drop role merchant;

-- An unknown name: the nearest of our networks' servers. What a hint says can be run as it stands.
create foreign data wrapper elsewhere;
create server "My Srvw" foreign data wrapper elsewhere;
create server "My Srv" foreign data wrapper tradetracker options (campaign_id '1', product_id '2', click_ids 'any');
\pset format unaligned
\pset tuples_only on
select refusal(format('select s2s.lead_url(%L, ''1'', ''c'')', name)) from unnest(array['My Srvv', 'my srv', 'My Srvw', 'games', '']) name;
select refusal('select s2s.linktrust_load(''My Srvv'', ''TransactionID'')');
create table visits (id int, click_id s2s.click_id);
select refusal('create trigger report after insert on visits for each row execute function s2s.report_lead(''MySrv'', ''transaction_id={id}'')');
create role stranger;
set role stranger;
select refusal('select s2s.lead_url(''My Srv'', ''1'', ''c'')');
reset role;
\pset format aligned
\pset tuples_only off
drop role stranger;
drop table visits;
drop server "My Srv", "My Srvw";
drop foreign data wrapper elsewhere;

-- The validator of any network: its name says which. Wrappers that came with the first release have one each.
create schema newer;
create function newer.postback_validator(text[], oid) returns void language c strict as '$libdir/pgrx-ext', 'network_validator_wrapper';
create function newer.nobody_validator(text[], oid) returns void language c strict as '$libdir/pgrx-ext', 'network_validator_wrapper';
create function newer.validator(text[], oid) returns void language c strict as '$libdir/pgrx-ext', 'network_validator_wrapper';
select newer.postback_validator('{"sale_url=https://t.example/?c={click_id}"}', 'pg_foreign_server'::regclass);
select newer.postback_validator('{campaign_id=1}', 'pg_foreign_server'::regclass);
select newer.nobody_validator('{}', 'pg_foreign_server'::regclass);
select newer.validator('{}', 'pg_foreign_server'::regclass);
drop function newer.postback_validator, newer.nobody_validator, newer.validator;
drop schema newer;
