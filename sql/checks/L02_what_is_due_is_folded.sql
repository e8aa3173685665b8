-- L2: what is due is folded
-- proves: no outcome, no order and no due timer waits longer than a minute for a coordinator, unless its run stands paused or quarantined
-- remedy: is a coordinator running and reaching the database? its log says what the fold fails on
select d.run_id, d.path, d.kind, d.since
  from (select run_id, path, 'outcome' as kind, settled_at as since from skein.task where state = 'settled' and not held
        union all
        select run_id, path, kind || ' order', at from skein.inbox where not held
        union all
        select run_id, path, kind || ' timer', due_at from skein.timer where not held) as d
  join skein.run r using (run_id)
 where skein.is_checked_v1(d.run_id) and r.quarantined_at is null and (r.paused_at is null or d.kind = 'cancel order')
   and d.since < clock_timestamp() - interval '1 minute';
