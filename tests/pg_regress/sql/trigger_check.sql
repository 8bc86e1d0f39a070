-- Triggers are checked when they are made, and when their table changes.
create server games_nl foreign data wrapper tradetracker options (campaign_id '1234', product_id '56', click_ids 'any');
create table orders (id int primary key, total numeric, currency text, voucher text, click_id s2s.click_id, old_click s2s.click_id);
create table no_click (id int primary key);
create view orders_view as select * from orders;
\pset format unaligned
\pset tuples_only on
-- Arguments.
select refusal(format('create trigger report after insert on orders for each row execute function s2s.report_sale(%s)', arguments)) from (values
    (''), (''''''), ('''nowhere'', ''transaction_id={id}'''),
    ('''games_nl'''),
    ('''games_nl'', ''transaction_id={id}'''),
    ('''games_nl'', ''transaction_id={id}'', ''amount={total}'''),
    ('''games_nl'', ''transaction_id={id}'', ''amount={total}'', ''currency=EUR'''),
    ('''games_nl'', ''transaction_id={id}'', ''amount={totl}'', ''currency=EUR'', ''click_id={click_id}'''),
    ('''games_nl'', ''transaction_id={id}'', ''amount={ID}'', ''currency=EUR'', ''click_id={click_id}'''),
    ('''games_nl'', ''transaction_id={id}'', ''amount={sum}'', ''currency=EUR'', ''click_id={click_id}'''),
    ('''games_nl'', ''transaction_id={id}'', ''amuont={total}'', ''currency=EUR'', ''click_id={click_id}'''),
    ('''games_nl'', ''transaction_id={id}'', ''price={total}'', ''currency=EUR'', ''click_id={click_id}'''),
    ('''games_nl'', ''transaction_id={id}'', ''amount={total}'', ''amount={id}'', ''currency=EUR'', ''click_id={click_id}'''),
    ('''games_nl'', ''transaction_id=ORDER_ID'', ''amount={total}'', ''currency=EUR'', ''click_id={click_id}'''),
    ('''games_nl'', ''transaction_id'', ''amount={total}'', ''currency=EUR'', ''click_id={click_id}'''),
    ('''games_nl'', ''transaction_id={id'', ''amount={total}'', ''currency=EUR'', ''click_id={click_id}'''),
    ('''games_nl'', ''transaction_id=id}'', ''amount={total}'', ''currency=EUR'', ''click_id={click_id}'''),
    ('''games_nl'', ''transaction_id={}'', ''amount={total}'', ''currency=EUR'', ''click_id={click_id}'''),
    -- The same for every row, and valid for none.
    ('''games_nl'', ''transaction_id={id}'', ''amount={total}'', ''currency=EURO'', ''click_id={click_id}'''),
    ('''games_nl'', ''transaction_id={id}'', ''amount='', ''currency=EUR'', ''click_id={click_id}'''),
    ('''games_nl'', ''transaction_id={id}'', ''amount={total}'', ''currency='', ''click_id={click_id}'''),
    ('''games_nl'', ''transaction_id={id}'', ''amount={total}'', ''currency=EUR'', ''click_id='''),
    ('''games_nl'', ''transaction_id={id}'', ''={total}'', ''currency=EUR'', ''click_id={click_id}'''),
    ('''games_nl'', ''transaction_id={id}'', ''amount=1,50'', ''currency=EUR'', ''click_id={click_id}'''),
    ('''games_nl'', ''transaction_id={id}'', ''amount={total}'', ''currency=EUR'', ''click_id={click_id}'', ''product_id=x''')
) t(arguments);
select refusal('create trigger report after insert on no_click for each row execute function s2s.report_lead(''games_nl'', ''transaction_id={id}'')');
-- Timing and level.
select refusal(format('create trigger report %s execute function s2s.report_lead(''games_nl'', ''transaction_id={id}'', ''click_id={click_id}'')', timing)) from (values
    ('before insert on orders for each row'), ('after delete on orders for each row'), ('after insert or delete on orders for each row'),
    ('after truncate on orders'), ('after insert on orders for each statement'), ('instead of insert on orders_view for each row')
) t(timing);
\pset format aligned
\pset tuples_only off
select count(*) from pg_trigger where tgrelid = 'orders'::regclass;
select s2s.report_lead() is null;

-- The creator needs USAGE on the server, however the trigger is created.
create role merchant;
grant create on database :"DBNAME" to merchant;
set role merchant;
create schema sneaky
    create table players (id int, click_id s2s.click_id)
    create trigger report after insert on players for each row execute function s2s.report_lead('games_nl', 'transaction_id={id}');
reset role;
revoke create on database :"DBNAME" from merchant;
alter table orders owner to merchant;
set role merchant;
create trigger report after insert on orders for each row
    execute function s2s.report_sale('games_nl', 'transaction_id={id}', 'amount={total}', 'currency=EUR', 'click_id={click_id}');
reset role;
grant usage on foreign server games_nl to merchant;
set role merchant;
create trigger report after insert on orders for each row
    execute function s2s.report_sale('games_nl', 'transaction_id={id}', 'amount={total}', 'currency=EUR', 'click_id={click_id}');
-- A change of the table that would break it is refused with the trigger's name.
alter table orders rename column total to sum;
alter table orders drop column total;
alter table orders add column note text;
alter table orders rename column note to remark;
alter table orders disable trigger report;
alter table orders rename column total to sum;
alter table orders enable trigger report;
alter table orders rename column sum to total;
alter table orders enable trigger report;
insert into orders values (1, 5, 'EUR', null, 'c');
reset role;
-- A change by somebody without USAGE, or after the server is gone, is nobody's business.
revoke usage on foreign server games_nl from merchant;
set role merchant;
alter table orders add column further text;
reset role;
alter server games_nl rename to games_be;
-- Said once, not whenever a server changes.
alter server games_be options (add timeout '5s');
alter table orders drop column further;
alter server games_be rename to games_nl;
select action, transaction_id, parameters from s2s.queue;
drop table orders cascade;
drop table no_click;
-- A server can also go with its owner.
create role agency;
grant usage on foreign data wrapper tradetracker to agency;
set role agency;
create server agencys foreign data wrapper tradetracker options (campaign_id '1', product_id '2', click_ids 'any');
reset role;
create table players (id int, click_id s2s.click_id);
create trigger report after insert on players for each row execute function s2s.report_lead('agencys', 'transaction_id={id}');
drop owned by agency;
drop table players;
drop role agency;
drop server games_nl;
drop role merchant;
delete from s2s.queue;
