-- I8: no result of an agent without an attempt
-- proves: a step that ran on a worker and has a result carries the lease under which it was made, or has the attempts that failed
-- remedy: report it; the result came from nowhere
select s.run_id, s.path, s.status
  from skein.step s
  join (select run_id, version_id from skein.run union all select run_id, version_id from skein.ended_run) r using (run_id)
  join skein.version_step v on v.version_id = r.version_id and v.step_index = s.step_index
 where skein.is_checked_v1(s.run_id) and skein.is_checked_v1(r.run_id) and v.verb = 'agent' and s.fence is null
   -- Where an error was caught, the result is the catch block's.
   and ((s.status = 'succeeded' and not exists (select from skein.step c where c.run_id = s.run_id and c.path = s.path || '/catch' collate "C"))
        or (s.status = 'failed' and s.attempt > 0
            and not exists (select from skein.attempt a where a.run_id = s.run_id and a.path = s.path)));
