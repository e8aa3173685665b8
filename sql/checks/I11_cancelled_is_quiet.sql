-- I11: nothing starts after a cancel is acknowledged
-- proves: no attempt of a run was claimed after its cancel had committed (by the database's clock, with a second for statements in flight)
-- remedy: report it; a claim got past the hold. What is ready is held by
-- `update skein.task t set held = true from (select run_id from skein.run where run_id = '<run_id>' and cancel_requested_at is not null for share) as r
-- where t.run_id = r.run_id and t.path = '<path>' and t.state = 'ready'`
select r.run_id, t.path, t.claimed_at, r.cancel_requested_at
  from skein.run r join skein.task t using (run_id)
 where skein.is_checked_v1(r.run_id) and skein.is_checked_v1(t.run_id) and r.cancel_requested_at is not null
   and (t.claimed_at > r.cancel_requested_at + interval '1 second' or (t.state = 'ready' and not t.held));
