-- I6: whoever lost its lease changes nothing
-- proves: no attempt that was given up settled its step all the same, and no dead session began one (with a second for statements in flight)
-- remedy: report it with the rows; the result may be a zombie's
select s.run_id, s.path, s.fence, a.status::text as also_recorded_as
  from skein.step s join skein.attempt a using (run_id, path, fence) where skein.is_checked_v1(a.run_id)
union all
select b.run_id, b.path, b.fence, 'begun by a dead session'
  from (select run_id, path, fence, session_id, coalesce(claimed_at, started_at) as claimed_at from skein.step where session_id is not null
        union all select run_id, path, fence, session_id, claimed_at from skein.attempt
        union all select run_id, path, fence, session_id, claimed_at from skein.task where state = 'leased') b
  join skein.worker_session w using (session_id)
 where skein.is_checked_v1(b.run_id) and b.claimed_at > w.dead_at + interval '1 second';
