-- I18: what waits for a moment has its timer, and a timer has something to wake
-- proves: no back-off and no sleep is forgotten, and none fires twice
-- remedy: report it; a missing timer is made again by `insert into skein.timer (run_id, path, kind, namespace_id, due_at)
-- select run_id, '<path>', '<kind>', namespace_id, clock_timestamp() from skein.run where run_id = '<run_id>'`, and one that has nothing to wake
-- is taken away by `delete from skein.timer where run_id = '<run_id>' and path = '<path>' and kind = '<kind>'`
select t.run_id, t.path, 'backoff' as kind, 'no timer' as problem
  from skein.task t
 where skein.is_checked_v1(t.run_id) and t.state = 'waiting' and not exists (select from skein.timer m where m.run_id = t.run_id and m.path = t.path and m.kind = 'backoff')
union all
select l.run_id, l.path, 'sleep', 'no timer'
  from skein.live_step l
 where skein.is_checked_v1(l.run_id) and l.kind = 'sleep' and not exists (select from skein.timer m where m.run_id = l.run_id and m.path = l.path and m.kind = 'sleep')
union all
select m.run_id, m.path, m.kind, 'nothing to wake'
  from skein.timer m
 where skein.is_checked_v1(m.run_id) and m.kind = 'backoff' and not exists (select from skein.task t where t.run_id = m.run_id and t.path = m.path and t.state = 'waiting')
union all
select m.run_id, m.path, m.kind, 'nothing to wake'
  from skein.timer m
 where skein.is_checked_v1(m.run_id) and m.kind in ('sleep', 'every', 'join_deadline', 'await_timeout')
   and not exists (select from skein.live_step l where l.run_id = m.run_id and l.path = m.path);
