-- I32: every order has its record, in the same transaction
-- proves: a run that stands paused says when and by whom in its history, one that was resumed, too, and no run is being cancelled, or was
-- cancelled by somebody, without an order
-- remedy: report it; somebody has changed the run's row by hand. Of a run that is live, the record is made by
-- `select skein.note_event_v1(array['<run_id>']::uuid[], '<missing>', null)`; of one that has ended nothing is changed
with last as (
  select distinct on (run_id) run_id, kind, at from skein.run_event
   where skein.is_checked_v1(run_id) and kind in ('paused', 'resumed') order by run_id, seq desc)
select r.run_id, 'paused' as missing, 'paused, and the history does not say so' as problem
  from skein.run r left join last using (run_id)
 where skein.is_checked_v1(r.run_id) and r.paused_at is not null and (last.kind is distinct from 'paused' or last.at < r.paused_at)
union all
select r.run_id, 'resumed', 'resumed, and the history does not say so'
  from skein.run r join last using (run_id)
 where r.paused_at is null and r.cancel_requested_at is null and last.kind = 'paused'
union all
select r.run_id, 'cancel_requested', 'being cancelled without an order'
  from skein.run r
 where skein.is_checked_v1(r.run_id) and r.cancel_requested_at is not null
   and not exists (select from skein.inbox i where i.run_id = r.run_id and i.kind = 'cancel')
   and not exists (select from skein.run_event v where v.run_id = r.run_id and v.kind = 'cancel_requested')
union all
select e.run_id, 'cancel_requested', 'cancelled without an order'
  from skein.ended_run e
 where skein.is_checked_v1(e.run_id) and e.status = 'cancelled' and e.cancel_reason is not null
   and not exists (select from skein.run_event v where v.run_id = e.run_id and v.kind = 'cancel_requested');
