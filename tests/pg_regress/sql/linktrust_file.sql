-- LinkTrust's tab-delimited files: queued edits written, edits read from a file and queued.
create server lt_eu foreign data wrapper linktrust options (url 'https://track.example.com', campaign_id '466744');
create server games_nl foreign data wrapper tradetracker options (campaign_id '1234', product_id '56', click_ids 'any');
select setval('s2s.queue_id_seq', 2000000000000000);
-- Tabs and line ends made visible.
create function pg_temp.shown(file text) returns setof text language sql as $$
    select replace(replace(line, E'\t', '|'), E'\r', '\r') from regexp_split_to_table(file, E'\n') line
$$;

-- Without a password there is no file.
select s2s.linktrust_file('lt_eu');
create user mapping for public server lt_eu options (password 'public');
create user mapping for postgres server lt_eu options (password 's3cret&');
-- Nothing is queued.
select * from pg_temp.shown(s2s.linktrust_file('lt_eu'));
select * from pg_temp.shown(s2s.linktrust_file('lt_eu', 'click_id'));
select * from pg_temp.shown(s2s.linktrust_file('lt_eu', identification => 'merchant_reference_id'));

-- One column set: what does not change is empty, amounts have two decimals.
select s2s.edit_transaction('lt_eu', 'T-1', approved => false, affiliate_payout => 0, merchant_payout => 0, execute_affiliate_pixel => true);
select s2s.edit_transaction('lt_eu', 'T-ü 2', merchant_payout => 12.345);
select * from pg_temp.shown(s2s.linktrust_file('lt_eu'));
-- All three: one is to be chosen. A reason is a column more, in the file that has it.
select s2s.edit_transaction('lt_eu', click_id => '04_835477_fb93f424-788d-4c48-bfb1-98516f855839', approved => true);
select s2s.edit_transaction('lt_eu', merchant_reference_id => 'W 1', approved => false, reason => 'sent back');
select s2s.edit_transaction('lt_eu', merchant_reference_id => 'W 2', campaign_id => '7', execute_affiliate_pixel => true);
select s2s.linktrust_file('lt_eu');
select s2s.linktrust_file('lt_eu', 'transaction');
select * from pg_temp.shown(s2s.linktrust_file('lt_eu', 'transaction_id'));
select * from pg_temp.shown(s2s.linktrust_file('lt_eu', 'click_id'));
select * from pg_temp.shown(s2s.linktrust_file('lt_eu', 'merchant_reference_id'));
-- A file is no delivery.
select count(*) from s2s.queue;

-- From file to queue and back: the same edits.
create temp table written as
    select identification, s2s.linktrust_file('lt_eu', identification) as file
    from unnest(array['transaction_id', 'click_id', 'merchant_reference_id']) identification;
create temp table before as select server, action, transaction_id, click_id, s2s.callback_url(id) as url from s2s.queue;
delete from s2s.queue;
select l.* from written w, s2s.linktrust_load('lt_eu', w.file) l order by l.callback_id;
select server, action, transaction_id, click_id, s2s.callback_url(id) as url from s2s.queue except table before;
select count(*) from written where file <> s2s.linktrust_file('lt_eu', identification);
delete from s2s.queue;

-- What waits, what is retried and what the network refused is written; what is invalid is not.
create table orders (id int primary key, payout numeric, click_id s2s.click_id);
create trigger corrected after insert on orders for each row
    execute function s2s.edit_transaction('lt_eu', 'transaction_id={id}', 'affiliate_payout={payout}', 'organic=true');
insert into orders values (1, 1), (2, -1), (3, 3), (4, 'NaN'), (5, 5);
update s2s.queue set due_at = 'infinity', attempts = 10, last_error = 'HTTP 404' where transaction_id = '3';
update s2s.queue set attempts = 2, last_error = 'HTTP 503' where transaction_id = '5';
select transaction_id, due_at = 'infinity' as parked, last_error from s2s.queue order by id;
select * from pg_temp.shown(s2s.linktrust_file('lt_eu'));
delete from s2s.queue;
-- What such a file cannot hold stops it, with the callback's number.
select s2s.edit_transaction('lt_eu', 'T', approved => true, reason => E'a\tb') is null;
select s2s.edit_transaction('lt_eu', 'a"b', approved => true) is null;
\pset format unaligned
\pset tuples_only on
select refusal($$select s2s.linktrust_file('lt_eu')$$);
delete from s2s.queue where parameters ? 'reason';
select refusal($$select s2s.linktrust_file('lt_eu')$$);
delete from s2s.queue;
alter user mapping for postgres server lt_eu options (set password E'tab\t');
select refusal($$select s2s.linktrust_file('lt_eu')$$);
alter user mapping for postgres server lt_eu options (set password 's3cret&');
-- Other servers.
select refusal(format('select s2s.linktrust_%s', call)) from (values
    ($$file('games_nl')$$), ($$file('nowhere')$$), ($$file(null)$$),
    ($$load('games_nl', E'ClickID\tA')$$), ($$load('nowhere', E'ClickID\tA')$$), ($$load(null, E'ClickID\tA')$$),
    ($$load('lt_eu', null)$$)
) t(call);
-- Bad headers.
select refusal(format('select s2s.linktrust_load(''lt_eu'', %L)', file)) from (values
    (''), (E'\n\n'), (E'TransactionID\tAPP\n'), (E'TransactionID,AP\n'), (E'ClickID\tclickid\n'), (E'AP\tMP\n'), (E'Password\tCID\tAP\n'),
    (E's3cret&\tT-1\t0.00\t\tno\tYes\n')
) t(file);
\pset format aligned
\pset tuples_only off
-- Columns in any order and case; LF or CRLF; with and without byte-order mark; quotes around values.
create temp table loaded as select number, l.*
from (values
    (1, E'TransactionID\tAP\tA\nT-1\t1\tno\n'),
    (2, E'a\tTRANSACTIONID\tpassword\tap\r\nno\tT-1\tnot ours\t1\r\n'),
    (3, E'\uFEFFA\tMP\tTransactionID\t AP \r\nno\t\tT-1\t1'),
    (4, E'"A"\t"AP"\tTransactionID\n\n\t\t\n"no"\t"1"\t"T-1"\n'),
    (5, E'MERCHANTREFERENCEID\tcid\tAP\tA\nT-1\t\t1\tno\n'),
    (6, E'ClickID\tAP\tA\treason\nT-1\t1\tno\twhy'),
    (7, E'ClickID\tA\n')
) f(number, file)
cross join lateral s2s.linktrust_load('lt_eu', f.file) l;
select number, line, problem, transaction_id, click_id, parameters from loaded join s2s.queue on id = callback_id order by number;
delete from s2s.queue;
-- The result is the queue's.
select line, callback_id is not null as queued, problem from s2s.linktrust_load('lt_eu', E'TransactionID\tAP\tMP\tA\texecuteaffiliatepixel
T-1\t0\t0\tno\tYes
T-2\t-1\t\t\t
T-3\t1,50\t\t\t

T-4\t1\t\t
T-5\t\t\tmaybe\t
T-6\t\t\t\t
\t\t\tno\t
T-8\tNaN\tInfinity\t\t
T-9\t1.005\t\tyes\tno
');
select transaction_id, parameters, s2s.callback_url(id) from s2s.queue order by id;
delete from s2s.queue;
-- Nothing depends on how far the result is read, or where.
select (s2s.linktrust_load('lt_eu', E'ClickID\tA\na\tno\nb\tno\nc\tno\n')).line limit 1;
select count(*) from s2s.queue;
delete from s2s.queue;
-- A statement that fails queues nothing.
select line / 0 from s2s.linktrust_load('lt_eu', E'ClickID\tA\na\tno\n');
select count(*) from s2s.queue;

-- Rights: both are granted; a file is for the server's owner, who needs no right to the queue.
create role merchant;
create role member in role merchant;
set role merchant;
select s2s.linktrust_file('lt_eu');
select * from s2s.linktrust_load('lt_eu', E'ClickID\tA\na\tno\n');
reset role;
grant execute on function s2s.linktrust_file, s2s.linktrust_load to merchant;
set role merchant;
select s2s.linktrust_file('lt_eu');
select * from s2s.linktrust_load('lt_eu', E'ClickID\tA\na\tno\n');
reset role;
grant usage on foreign server lt_eu to merchant;
set role merchant;
select s2s.linktrust_file('lt_eu');
select line, callback_id is not null as queued, problem from s2s.linktrust_load('lt_eu', E'ClickID\tA\na\tno\n');
select count(*) from s2s.queue;
reset role;
grant usage on foreign data wrapper linktrust to merchant;
alter server lt_eu owner to merchant;
set role member;
select * from pg_temp.shown(s2s.linktrust_file('lt_eu'));
select current_user, count(*) from s2s.queue;
-- Whoever writes a path of operators gets no further than their own rights.
reset role;
grant create on database :"DBNAME" to merchant;
set role merchant;
create schema sneaky;
create function sneaky.eq(text, text) returns boolean language plpgsql as $$ begin raise 'as %', current_user; end $$;
create operator sneaky.= (leftarg = text, rightarg = text, function = sneaky.eq);
set search_path = sneaky, pg_catalog;
select count(*) from s2s.linktrust_file('lt_eu');
reset search_path;
drop schema sneaky cascade;
-- After an error the rights are one's own again.
reset role;
grant execute on function s2s.edit_transaction(text, text, s2s.click_id, text, text, boolean, numeric, numeric, boolean, text) to merchant;
set role merchant;
select s2s.edit_transaction('lt_eu', 'T"', approved => true) is null;
do $$
begin
    perform s2s.linktrust_file('lt_eu', 'transaction_id');
exception when others then
    raise notice 'refused, as %', current_user;
end $$;
select count(*) from s2s.queue;
reset role;
drop table orders;
drop server lt_eu, games_nl cascade;
drop owned by merchant;
drop role member, merchant;
delete from s2s.queue;
