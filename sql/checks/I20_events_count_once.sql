-- I20: an event that was sent again has one effect
-- proves: as long as the id of an event at its source is remembered, it stands for that event and no other
-- remedy: report it with the rows; a later event is a repetition and must go if nobody has taken it:
-- `delete from skein.event where event_id = <event_id> and event_id > <remembered_as> and state = 'buffered'`; of one that nobody remembers the id is
-- remembered again by `insert into skein.event_key (namespace_id, source, id_hash, event_id, expires_at) select namespace_id, coalesce(source, ''),
-- sha256(convert_to(coalesce(run_id::text, '') || E'\n' || source_id, 'UTF8')), event_id, greatest(expires_at, at + interval '7 days')
-- from skein.event where event_id = <event_id>`
select e.event_id, e.name, e.source, e.source_id, k.event_id as remembered_as
  from skein.event e tablesample system (skein.checked_percent_v1('skein.event'))
  left join skein.event_key k
    on k.namespace_id = e.namespace_id and k.source = coalesce(e.source, '')
   and k.id_hash = sha256(convert_to(coalesce(e.run_id::text, '') || E'\n' || e.source_id, 'UTF8'))
  left join skein.event o on o.event_id = k.event_id
 where e.source_id is not null
   and case when k.event_id is null then greatest(e.expires_at, e.at + interval '7 days') > clock_timestamp() + interval '1 minute'
            -- A later event may have the id when the memory of the earlier one is over.
            else k.event_id <> e.event_id and o.at < greatest(e.expires_at, e.at + interval '7 days') end;
