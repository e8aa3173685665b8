-- I15: attempts stay within the policy, and losses within their cap
-- proves: a step that fails is not tried more often than all retry policies of its workflow allow together, and one whose workers keep
-- dying ends as poison instead of being tried for ever
-- remedy: report it; `skein run cancel <run_id>` ends a run that tries for ever
select l.run_id, l.path, l.losses, null::integer as attempts, null::numeric as allowed
  from (select run_id, path, losses from skein.task where losses > 5
        union all
        select run_id, path, losses from skein.step where losses > 6) as l
 where skein.is_checked_v1(l.run_id)
union all
select s.run_id, s.path, null, s.attempt, p.allowed
  from (select run_id, path, attempt from skein.task where attempt > 1
        union all
        select run_id, path, attempt from skein.step where attempt > 1) as s
  join (select run_id, version_id from skein.run union all select run_id, version_id from skein.ended_run) as r using (run_id)
  join skein.workflow_version v using (version_id)
 cross join lateral (
   select 1 + coalesce(sum(greatest(m::numeric, 1) - 1), 0) as allowed
     from jsonb_path_query(v.definition::jsonb, '$.**.maxAttempts ? (@.type() == "number")') as m) as p
 where skein.is_checked_v1(s.run_id) and skein.is_checked_v1(r.run_id) and s.attempt > p.allowed;
