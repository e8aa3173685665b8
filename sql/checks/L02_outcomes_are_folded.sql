-- L2: outcomes are folded
-- proves: no outcome waits longer than a minute for a coordinator, unless its run stands quarantined
-- remedy: is a coordinator running and reaching the database? its log says what the fold fails on
select t.run_id, t.path, t.settled_at
  from skein.task t join skein.run r using (run_id)
 where t.state = 'settled' and r.quarantined_at is null and t.settled_at < clock_timestamp() - interval '1 minute';
