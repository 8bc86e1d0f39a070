-- Records attempts: each becomes a row of s2s.attempt, and its callback leaves the queue, is due
-- after a pause, or is parked. Returns the callbacks of which nothing was recorded: true, another
-- session has locked them; false, they are not where they were read, because another session has
-- cancelled them or changed when they are due.
--
-- It waits for no lock: meanwhile nothing of any server would be recorded.
--
-- $1 to $15: a column of the attempts each, in the order of delivery/attempt.rs
-- $16: where their callbacks are in the queue; NULL: they have left it, only the attempt is recorded
with tried as (
    -- Only without a schema does unnest take several arrays, and then it is always pg_catalog's.
    select * from unnest(
        $1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[],
        $8::integer[], $9::timestamptz[], $10::bigint[], $11::integer[], $12::text[], $13::text[],
        $14::text[], $15::bigint[], $16::timestamptz[])
    as t(callback_id, server, action, transaction_id, click_id, url, created_at,
         attempt, started_at, duration, http_status, verdict, message, response, pause, due_at)
), taken as (
    -- The number alone may be another callback's, if the sequence was set by hand.
    select q.ctid as tuple, t.*
    from tried t
    join s2s.queue q on q.server = t.server and q.due_at = t.due_at and q.id = t.callback_id
                    and q.created_at = t.created_at
    for update of q skip locked
), gone as (
    delete from s2s.queue q using taken t
    where t.pause is null and q.ctid = t.tuple
    returning q.id
), later as (
    update s2s.queue q
    -- One that was parked meanwhile stays parked: its server was dropped, or a person did it.
    set due_at = case when t.pause < 0 or t.due_at = 'infinity' then 'infinity'
                 else pg_catalog.clock_timestamp() + t.pause * interval '1 microsecond' end,
        -- Without a URL no request was made.
        attempts = case when t.url is null then q.attempts else t.attempt end,
        last_error = case when t.due_at = 'infinity' then q.last_error else t.message end
    from taken t
    where t.pause is not null and q.ctid = t.tuple
    returning q.id
), rest as (
    -- As the statement began: one that was changed since then counts as locked.
    select t.callback_id,
           exists (
               select from s2s.queue q
               where q.server = t.server and q.due_at = t.due_at and q.id = t.callback_id
                 and q.created_at = t.created_at) as is_locked
    from tried t
    where t.due_at is not null
      and t.callback_id not in (select gone.id from gone union all select later.id from later)
), recorded as (
    insert into s2s.attempt (callback_id, server, action, transaction_id, click_id, url, created_at,
                             attempt, started_at, duration, http_status, verdict, message, response)
    select t.callback_id, t.server, t.action::s2s.action, t.transaction_id, t.click_id::s2s.click_id,
           t.url, t.created_at, t.attempt, t.started_at, t.duration * interval '1 microsecond',
           t.http_status, t.verdict::s2s.verdict, t.message, t.response
    from tried t
    where t.callback_id not in (select r.callback_id from rest r)
)
select r.callback_id, r.is_locked from rest r
