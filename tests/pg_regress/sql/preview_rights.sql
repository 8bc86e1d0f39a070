-- Whose rights s2s.preview uses: rows are read as the caller, the table owner's code runs as the owner.
create server games_nl foreign data wrapper tradetracker options (campaign_id '1234', product_id '56', click_ids 'any');
create role tenant;
create role analyst;
grant create on database :"DBNAME" to tenant;
grant usage on foreign server games_nl to tenant, analyst;
\pset format unaligned
\pset null NULL

-- What a tenant's code tries with the rights of whoever looks: a superuser.
set role tenant;
create schema tenant;
create table tenant.later (id int);
create function tenant.later() returns trigger language plpgsql as $$
begin raise notice 'later as %', current_user; return null; end $$;
create constraint trigger later after insert on tenant.later deferrable initially deferred for each row execute function tenant.later();
create function tenant.attack(place text) returns boolean language plpgsql as $$
declare
    command text;
begin
    raise notice '% as %, search_path: %', place, current_user, current_setting('search_path');
    foreach command in array array[
        'alter role tenant superuser',
        'set role postgres',
        'reset role',
        'set session authorization postgres',
        'create temporary table t (id int)',
        'declare c cursor with hold for select 1',
        'close all',
        'prepare s as select 1',
        'listen c',
        'insert into tenant.later values (1)',
        'set search_path = tenant'
    ] loop
        begin
            execute command;
            raise notice '  %: done', command;
        exception when insufficient_privilege then
            raise notice '  %: refused', command;
        end;
    end loop;
    return true;
end $$;
create table tenant.by_when (id int, click_id s2s.click_id);
insert into tenant.by_when values (1, 'c');
create trigger t after insert on tenant.by_when for each row when (tenant.attack('WHEN ' || new.id))
    execute function s2s.report_lead('games_nl', 'transaction_id={id}');
reset role;
show search_path;
select * from s2s.preview('tenant.by_when', 't');
select rolsuper from pg_roles where rolname = 'tenant';
select current_user;
show search_path;

-- A call with constants runs when WHEN is prepared.
set role tenant;
create function tenant.early() returns boolean immutable language plpgsql as $$
begin raise notice 'prepared as %', current_user; return true; end $$;
create table tenant.by_constant (id int, click_id s2s.click_id);
create trigger t after insert on tenant.by_constant for each row when (tenant.early())
    execute function s2s.report_lead('games_nl', 'transaction_id={id}');
reset role;
select * from s2s.preview('tenant.by_constant', 't');

-- A cast to JSON.
set role tenant;
create type tenant.state as enum ('paid');
create function tenant.to_json(tenant.state) returns json language plpgsql as $$
begin perform tenant.attack('cast'); return '"cast"'; end $$;
create cast (tenant.state as json) with function tenant.to_json(tenant.state);
create table tenant.by_cast (id int, gone int, state tenant.state, click_id s2s.click_id);
alter table tenant.by_cast drop column gone;
create trigger t after insert on tenant.by_cast for each row
    execute function s2s.report_lead('games_nl', 'transaction_id={id}', 'description={state}');
insert into tenant.by_cast values (1, 'paid', 'c');
reset role;
select * from s2s.preview('tenant.by_cast', 't');
select rolsuper from pg_roles where rolname = 'tenant';

-- The caller's objects are not used in place of the owner's.
set role tenant;
create function tenant.is_big(int) returns boolean language plpgsql as $$ begin return abs($1) > 10; end $$;
create table tenant.big (id int, click_id s2s.click_id);
insert into tenant.big values (1, 'c'), (11, 'c');
create trigger t after insert on tenant.big for each row when (tenant.is_big(new.id))
    execute function s2s.report_lead('games_nl', 'transaction_id={id}');
grant usage on schema tenant to analyst;
grant select on tenant.big to analyst;
reset role;
grant create on database :"DBNAME" to analyst;
set role analyst;
create schema analyst;
create function analyst.abs(int) returns int language plpgsql as $$
begin raise notice 'abs as %', current_user; return 99; end $$;
set search_path = analyst, pg_catalog;
select row_data ->> 'id' as id, url is not null as is_sent from s2s.preview('tenant.big', 't');
show search_path;
reset search_path;
reset role;

-- After an error everything is as before: of the statement, of a subtransaction.
set role tenant;
create function tenant.fail(int) returns boolean language plpgsql as $$
begin perform set_config('s2s.on_invalid_row', 'error', false); raise exception 'failed as %', current_user; end $$;
create table tenant.failing (id int, click_id s2s.click_id);
insert into tenant.failing values (1, 'c');
create trigger t after insert on tenant.failing for each row when (tenant.fail(new.id))
    execute function s2s.report_lead('games_nl', 'transaction_id={id}');
reset role;
select * from s2s.preview('tenant.failing', 't');
select current_user, current_setting('search_path') as search_path, current_setting('s2s.on_invalid_row') as on_invalid_row;
do $$
begin
    set local search_path = public;
    begin
        perform s2s.preview('tenant.failing', 't');
    exception when others then
        raise notice '%', sqlerrm;
    end;
    raise notice '%, %, %', current_user, current_setting('search_path'), current_setting('s2s.on_invalid_row');
    set local role analyst;
    raise notice '%', current_user;
end $$;
begin;
savepoint before;
select * from s2s.preview('tenant.failing', 't');
rollback to before;
select current_user, current_setting('search_path') as search_path, current_setting('s2s.on_invalid_row') as on_invalid_row;
create temporary table can_be_made (id int);
rollback;

-- The query that reads the rows is nobody else's to close.
set role tenant;
create function tenant.close_query() returns boolean language plpgsql as $$
declare
    portal refcursor;
begin
    select name into strict portal from pg_cursors where statement like '%from only tenant.rows%';
    close portal;
    return true;
exception when invalid_cursor_state then
    raise notice 'it cannot be closed';
    return true;
end $$;
create table tenant.rows (id int, click_id s2s.click_id);
insert into tenant.rows select id, 'c' from generate_series(1, 250) id;
create trigger t after insert on tenant.rows for each row when (new.id <> 1 or tenant.close_query())
    execute function s2s.report_lead('games_nl', 'transaction_id={id}');
reset role;
select count(*), count(url) from s2s.preview('tenant.rows', 't', null);

-- The rows are the caller's to read, or not.
set role analyst;
select * from s2s.preview('tenant.rows', 't');
reset role;
grant select (id) on tenant.rows to analyst;
set role analyst;
select * from s2s.preview('tenant.rows', 't');
reset role;
grant select on tenant.rows to analyst;
alter table tenant.rows enable row level security;
create policy one_row on tenant.rows to analyst using (id = 7 and current_user = 'analyst');
set role analyst;
select row_data ->> 'id' as id, url is not null as is_sent from s2s.preview('tenant.rows', 't');
reset role;
revoke usage on foreign server games_nl from analyst;
set role analyst;
select * from s2s.preview('tenant.rows', 't');
reset role;
drop schema tenant cascade;
drop schema analyst cascade;
drop owned by tenant, analyst;
drop role tenant, analyst;
drop server games_nl;
