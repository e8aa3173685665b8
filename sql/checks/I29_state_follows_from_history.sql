-- I29: what a run is doing follows from what is recorded of it
-- proves: the count of live steps that a run goes by is the count of its live steps, and what a step still waits for is what has not settled;
-- so no step was lost or counted twice
-- remedy: report it with the run's history_overview; the run may wait for a step that is over
select r.run_id, null as path, r.live as counted, l.live as there
  from skein.run r
 cross join lateral (
   select (select count(*) from skein.task t where t.run_id = r.run_id and t.path !~ '[.\[/]')
        + (select count(*) from skein.live_step s where s.run_id = r.run_id and s.path !~ '[.\[/]' and s.kind <> 'pending') as live) as l
 where skein.is_checked_v1(r.run_id) and r.live <> l.live
union all
select l.run_id, l.path, l.unmet, n.unmet
  from skein.live_step l
  join skein.run r using (run_id)
  join skein.version_step v on v.version_id = r.version_id and v.step_index = l.step_index
 cross join lateral (
   select count(*) as unmet from unnest(v.needs) as n (needs)
    -- The step of that id in the same instance of the block.
    where not exists (select from skein.step d where d.run_id = l.run_id and d.path = regexp_replace(l.path, '[^.]*$', n.needs) collate "C")) as n
 where skein.is_checked_v1(l.run_id) and l.kind = 'pending' and l.unmet <> n.unmet;
