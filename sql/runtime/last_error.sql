-- Why the last attempt that did not deliver did not.
select a.message from s2s.attempt a
where a.verdict in ('retry', 'failed')
order by a.id desc
limit 1;
