-- I10: a paused run starts no step
-- proves: no attempt was claimed between a pause and what ended it (by the database's clock, with a second for statements in flight), and
-- nothing of a paused run stands where a worker could claim it
-- remedy: report it; a claim got past the hold. What could be claimed is held by
-- `update skein.task t set held = true from (select run_id from skein.run where run_id = '<run_id>' and paused_at is not null for share) as r
-- where t.run_id = r.run_id and t.path = '<path>' and t.state = 'ready'`
with pause as (
  select run_id, at as paused_at, lead(at, 1, 'infinity') over (partition by run_id order by seq) as until, kind
    from skein.run_event where skein.is_checked_v1(run_id) and kind in ('paused', 'resumed', 'cancel_requested')),
claimed as (
  select run_id, path, coalesce(claimed_at, started_at) as claimed_at from skein.step where session_id is not null
  union all select run_id, path, claimed_at from skein.attempt
  union all select run_id, path, claimed_at from skein.task where state in ('leased', 'settled'))
select p.run_id, c.path, c.claimed_at, p.paused_at, 'claimed while paused' as problem
  from pause p join claimed c using (run_id)
 where skein.is_checked_v1(c.run_id) and p.kind = 'paused' and c.claimed_at > p.paused_at + interval '1 second' and c.claimed_at < p.until
union all
select r.run_id, t.path, null, r.paused_at, 'could be claimed'
  from skein.run r join skein.task t using (run_id)
 where skein.is_checked_v1(r.run_id) and skein.is_checked_v1(t.run_id) and r.paused_at is not null and t.state = 'ready' and not t.held;
