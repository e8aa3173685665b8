-- I7: no step starts before what it needs is committed
-- proves: what a step needs has settled, comes before it in the history, and was done under an older lease; clocks are not asked
-- remedy: report it with the run's history_overview
with started as (
  select run_id, path, step_index, fence, seq from skein.step where status = 'succeeded' or fence is not null
  union all
  select run_id, path, step_index, fence, null from skein.task where fence is not null)
select s.run_id, s.path, n.needs, s.fence, d.fence as needs_fence
  from (select run_id, version_id from skein.run union all select run_id, version_id from skein.ended_run) r
  join started s on s.run_id = r.run_id
  join skein.version_step v on v.version_id = r.version_id and v.step_index = s.step_index
 cross join lateral unnest(v.needs) as n (needs)
  -- The step of that id in the same instance of the block.
  left join skein.step d on d.run_id = s.run_id and d.path = regexp_replace(s.path, '[^.]*$', n.needs) collate "C"
 where skein.is_checked_v1(r.run_id) and skein.is_checked_v1(s.run_id) and (d.run_id is null or d.seq > s.seq or d.fence > s.fence);
