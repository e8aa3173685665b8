-- I29: what a run is doing follows from what is recorded of it
-- proves: the count of live steps that a run goes by is the count of its live steps, so no step was lost or counted twice
-- remedy: report it with the run's history_overview; the run may wait for a step that is over
select r.run_id, r.live as counted, l.live as there
  from skein.run r
 cross join lateral (
   select (select count(*) from skein.task t where t.run_id = r.run_id and t.path !~ '[.\[/]')
        + (select count(*) from skein.live_step s where s.run_id = r.run_id and s.path !~ '[.\[/]' and s.kind <> 'pending') as live) as l
 where r.live <> l.live;
