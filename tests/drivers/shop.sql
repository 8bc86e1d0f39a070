-- What every program of the matrix finds in a database of its own.
create extension "pgrx-ext";

create table clicks (click_id s2s.click_id primary key, page text not null);
insert into clicks values
    ('0::12345::a::::1405418672', '/a'), ('0::12345::b::::1405418672', '/b'), ('0::12345::c::::1405418672', '/c');

-- A table that was there before the extension: its click ids are text.
create table visits (click_id text, visitor text not null);
insert into visits values ('0::12345::a::::1405418672', 'ann'), ('0::12345::z::::1405418672', 'zoe');

create table journeys (visitor text primary key, click_ids s2s.click_id[] not null);
insert into journeys values ('ann', array['0::12345::a::::1405418672', '0::12345::b::::1405418672']::s2s.click_id[]);

create server network foreign data wrapper tradetracker options (campaign_id '1234', product_id '56', paused 'true');
create table orders (id integer primary key, click_id s2s.click_id);
create trigger report_order after insert on orders for each row
    execute function s2s.report_lead('network', 'transaction_id={id}');
