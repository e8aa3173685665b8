-- I12: every attempt that did not settle its step has a successor
-- proves: a failed or lost attempt is followed by another one, or by the step's own end; nothing is tried and then forgotten
-- remedy: report it with the run's history_overview; the step is lost
select a.run_id, a.path, a.attempt, a.status::text, 'no successor' as problem
  from skein.attempt a
 where skein.is_checked_v1(a.run_id)
   and not exists (select from skein.task t where t.run_id = a.run_id and t.path = a.path)
   and not exists (select from skein.step s where s.run_id = a.run_id and s.path = a.path)
union all
select a.run_id, a.path, a.attempt, a.status::text, 'counted twice'
  from skein.attempt a
  join skein.task t using (run_id, path)
 where skein.is_checked_v1(a.run_id) and a.status in ('failed', 'timed_out') and not a.discarded and t.attempt <= a.attempt;
