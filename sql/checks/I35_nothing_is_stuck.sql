-- I35: nothing is stuck
-- proves: every unfinished run has a task, an order, a timer, a wait, or a sub-workflow that will move it, or stands paused or quarantined
-- where an operator sees it
-- remedy: report it with the run's history_overview; `skein run cancel <run_id>` ends it
select r.run_id, r.submitted_at, r.revision
  from skein.run r
 where skein.is_checked_v1(r.run_id) and r.quarantined_at is null and r.paused_at is null
   and not exists (select from skein.task t where t.run_id = r.run_id)
   and not exists (select from skein.inbox i where i.run_id = r.run_id)
   and not exists (select from skein.timer m where m.run_id = r.run_id and m.kind <> 'deadline')
   and not exists (select from skein.wait w where w.run_id = r.run_id)
   and not exists (select from skein.run c where c.parent_run_id = r.run_id and c.is_awaited);
