-- I18: a task that waits for its back-off has its timer, and a timer has something to wake
-- proves: no back-off is forgotten, and none fires twice
-- remedy: report it; a missing timer can be made again with due_at = now
select t.run_id, t.path, 'no timer' as problem
  from skein.task t
 where t.state = 'waiting' and not exists (select from skein.timer m where m.run_id = t.run_id and m.path = t.path and m.kind = 'backoff')
union all
select m.run_id, m.path, 'nothing to wake'
  from skein.timer m
 where m.kind = 'backoff' and not exists (select from skein.task t where t.run_id = m.run_id and t.path = m.path and t.state = 'waiting');
