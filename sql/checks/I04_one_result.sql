-- I4: a step that settled is not live any more
-- proves: at most one committed result per step path (the primary key of skein.step), and none while the step is still being worked on
-- remedy: report it; the settled row is the truth, the live row must go: `delete from skein.<live_as> where run_id = '<run_id>' and path = '<path>'`
select s.run_id, s.path, s.status::text, 'task' as live_as from skein.step s join skein.task t using (run_id, path) where skein.is_checked_v1(t.run_id)
union all
select s.run_id, s.path, s.status::text, 'live_step' from skein.step s join skein.live_step l using (run_id, path) where skein.is_checked_v1(l.run_id);
