-- I30: no row refers to another namespace's row
-- proves: what belongs to one tenant never points at another's
-- remedy: report it
select t.run_id, t.path, 'task' as kind from skein.task t join skein.run r using (run_id)
 where skein.is_checked_v1(t.run_id) and t.namespace_id <> r.namespace_id
union all
select t.run_id, t.path, 'queue' from skein.task t join skein.queue q using (queue_id) where skein.is_checked_v1(t.run_id) and t.namespace_id <> q.namespace_id
union all
select r.run_id, '', 'version' from skein.run r join skein.workflow_version v using (version_id) where skein.is_checked_v1(r.run_id) and r.namespace_id <> v.namespace_id
union all
select t.run_id, t.path, 'worker' from skein.task t join skein.worker_session s using (session_id) where skein.is_checked_v1(t.run_id) and t.namespace_id <> s.namespace_id
union all
select r.run_id, r.parent_path, 'parent' from skein.run r join skein.run p on p.run_id = r.parent_run_id where skein.is_checked_v1(r.run_id) and p.namespace_id <> r.namespace_id
union all
select w.run_id, w.path, 'wait' from skein.wait w join skein.run r using (run_id) where skein.is_checked_v1(w.run_id) and w.namespace_id <> r.namespace_id
union all
select d.run_id, d.path, 'event' from skein.event_delivery d join skein.event e using (event_id) where skein.is_checked_v1(d.run_id) and d.namespace_id <> e.namespace_id;
