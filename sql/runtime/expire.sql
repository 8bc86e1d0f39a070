-- Deletes attempts that are too old, the oldest of each server first, up to 1000, but none that
-- another session has locked.
--
-- $1: how old they may be, in seconds
delete from s2s.attempt
where ctid = any (array(
    with recursive server(name) as (
        (select a.server from s2s.attempt a order by a.server limit 1)
        union all
        select (select a.server from s2s.attempt a where a.server > server.name
                order by a.server limit 1)
        from server where server.name is not null
    )
    select old.tuple from server
    cross join lateral (
        select a.ctid as tuple from s2s.attempt a
        where a.server = server.name
          and a.started_at < pg_catalog.now() - $1 * interval '1 second'
        order by a.started_at
        limit 1000
        for update skip locked
    ) old
    limit 1000))
