-- I36: no lease outlives its session
-- proves: what a dead worker held is given back within a minute
-- remedy: is a coordinator running? it reaps; otherwise report it
select t.run_id, t.path, t.session_id, s.dead_at
  from skein.task t join skein.worker_session s using (session_id)
 where skein.is_checked_v1(t.run_id) and t.state = 'leased' and s.dead_at < clock_timestamp() - interval '1 minute';
