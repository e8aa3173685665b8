-- I1: every run that something is known of exists
-- proves: no accepted run was lost: whatever the history, the queue's orders and the notices speak of is live or has ended
-- remedy: report it with the rows; somebody has deleted runs by hand, or the database was restored in part
select h.run_id, h.known_from
  from (select run_id, 'step' as known_from from skein.step
        union select run_id, 'attempt' from skein.attempt
        union select run_id, 'event' from skein.run_event
        union select run_id, 'order' from skein.inbox) h
 where skein.is_checked_v1(h.run_id)
   and not exists (select from skein.run r where r.run_id = h.run_id)
   and not exists (select from skein.ended_run e where e.run_id = h.run_id);
