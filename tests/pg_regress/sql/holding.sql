-- What holds a callback is found by index, however much is queued: in the view, and in a query like the
-- worker's.
insert into s2s.queue (server, action, transaction_id, parameters, attempts, due_at)
select 'games_nl', 'lead', n / 2, '{}', (n % 1000 = 0)::integer,
       case when n % 500 = 0 then 'infinity' else now() - interval '1 hour' end
from generate_series(1, 20000) n;
analyze s2s.queue;
create function plan(query text) returns setof text language plpgsql as $$
begin return query execute 'explain (costs off) ' || query; end $$;
create view due as
select q.id
from s2s.queue q
where q.server = 'games_nl' and q.due_at <= now()
  and not exists (
      select from s2s.holding h
      where h.server = q.server and h.action = q.action and h.transaction_id = q.transaction_id
        and h.id < q.id
      offset 0);
select query, count(*) filter (where line like '%Scan using queue_holding %') as by_index,
       count(*) filter (where line like '%Index Cond: %server = %action = %transaction_id = %id < %') as by_all_columns
from (values ('select held_by from s2s.callback'),
             ('select * from s2s.callback where transaction_id = ''500'''),
             ('select * from due order by id limit 1000')) queries(query), plan(query) line
group by query order by query;
select status, count(*), count(held_by) as held from s2s.callback group by status order by status;
select count(*) from due;
