-- I19: an event is taken once, kept, or expired
-- proves: an event that was consumed was consumed by one wait (or is for everybody), one that is with a run is in its inbox, and none
-- that a waiting step could take is overlooked
-- remedy: report it; what was overlooked, or is with a run that does not know of it, is looked at again by
-- `with freed as (update skein.event set state = 'buffered', taken_by = null, taken_path = null where event_id = <event_id> and state = 'offered')
-- insert into skein.match (namespace_id, correlation, run_id) select namespace_id, correlation, run_id from skein.event where event_id = <event_id>`
select e.event_id, e.name, e.state::text, 'consumed by ' || count(d.event_id) as problem
  from skein.event e
  left join skein.event_delivery d on d.event_id = e.event_id and d.is_consumed and not d.is_broadcast
 group by e.event_id
having count(d.event_id) <> (e.state = 'consumed')::integer
union all
select e.event_id, e.name, e.state::text, 'with a run that does not know of it'
  from skein.event e
 where e.state = 'offered' and exists (select from skein.run r where r.run_id = e.taken_by)
   and not exists (select from skein.inbox i where i.run_id = e.taken_by and i.event_id = e.event_id)
union all
select e.event_id, e.name, e.state::text, 'overlooked by ' || w.run_id || ' ' || w.path
  from skein.wait w
  join skein.event e on e.state = 'buffered' and e.namespace_id = w.namespace_id
   and (e.run_id = w.run_id and (w.names is null or e.name = any (w.names))
        or e.at >= w.since and e.expires_at > clock_timestamp()
           and exists (select from skein.wait_key k where k.run_id = w.run_id and k.path = w.path and k.correlation = e.correlation))
 where not exists (select from skein.event_delivery d where d.event_id = e.event_id and d.run_id = w.run_id and d.path = w.path)
   and not exists (select from skein.inbox i where i.run_id = w.run_id and i.path = w.path and i.kind = 'event')
   and not exists (select from skein.match m where m.run_id = e.run_id or m.correlation = e.correlation);
