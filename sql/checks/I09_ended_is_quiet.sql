-- I9: nothing of an ended run is live
-- proves: no step of an ended run, or of a run that never was, can start
-- remedy: report it; the run is over, so the rows must go: `delete from skein.<kind> where run_id = '<run_id>' and path = '<path>'`
select t.run_id, t.path, 'task' as kind from skein.task t where skein.is_checked_v1(t.run_id) and not exists (select from skein.run r where r.run_id = t.run_id)
union all
select l.run_id, l.path, 'live_step' from skein.live_step l where skein.is_checked_v1(l.run_id) and not exists (select from skein.run r where r.run_id = l.run_id)
union all
select m.run_id, m.path, 'timer' from skein.timer m where skein.is_checked_v1(m.run_id) and not exists (select from skein.run r where r.run_id = m.run_id)
union all
select w.run_id, w.path, 'wait' from skein.wait w where skein.is_checked_v1(w.run_id) and not exists (select from skein.run r where r.run_id = w.run_id);
