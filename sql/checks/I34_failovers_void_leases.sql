-- I34: after a failover every older lease is void
-- proves: no worker session of an earlier timeline is alive, none of its leases is left a minute after the new timeline was recorded, and no
-- lease was granted on a timeline that is not recorded
-- remedy: is a coordinator running? it records the timeline and voids what is older; otherwise report it
with epoch as (
  select max(timeline) as timeline, max(since) as since from skein.cluster_epoch
   where system_identifier = (select system_identifier from pg_control_system()))
select s.session_id, s.worker, null::uuid as run_id, null as path, 'a session of an earlier timeline is alive' as problem
  from skein.worker_session s cross join epoch
 where s.dead_at is null and s.session_id >> 40 < epoch.timeline
union all
select t.session_id, null, t.run_id, t.path, 'leased on an earlier timeline'
  from skein.task t cross join epoch
 where skein.is_checked_v1(t.run_id) and t.state = 'leased' and t.fence >> 40 < epoch.timeline
   and epoch.since < clock_timestamp() - interval '1 minute'
union all
select t.session_id, null, t.run_id, t.path, 'leased on a timeline that is not recorded'
  from skein.task t cross join epoch
 where skein.is_checked_v1(t.run_id) and t.state = 'leased' and t.fence >> 40 > epoch.timeline
   and t.claimed_at < clock_timestamp() - interval '1 minute';
