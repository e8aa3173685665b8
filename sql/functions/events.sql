-- Events and waits: whoever writes one leaves a row in skein.match, and the matcher brings them together.

-- What names the events and waits that mean each other.
create or replace function skein.correlation_v1(p_namespace_id integer, p_name text, p_key text) returns bytea
language sql immutable parallel safe as $$
  select sha256(convert_to(p_namespace_id || E'\n' || p_name || E'\n' || coalesce('k' || p_key, ''), 'UTF8'))
$$;

-- Keeps an event, once for each id at its source, and answers with its number and whether it is new.
create or replace function skein.publish_v1(
  p_namespace_id integer, p_name text, p_run_id uuid, p_key text, p_data text, p_source text, p_source_id text, p_actor text,
  p_lifetime interval, out event_id bigint, out is_new boolean)
language plpgsql as $$
declare
  v_correlation bytea := case when p_run_id is null then skein.correlation_v1(p_namespace_id, p_name, p_key) end;
  v_expires_at  timestamptz := clock_timestamp() + p_lifetime;
  v_source      text := coalesce(p_source, '');
begin
  if p_name !~ '^[A-Za-z][A-Za-z0-9_.:/-]{0,199}$' then
    raise exception 'an event''s name begins with a letter and has letters, digits and _ . : / - only, not "%"', left(p_name, 100)
      using errcode = 'SK009';
  end if;
  event_id := nextval(pg_get_serial_sequence('skein.event', 'event_id'));
  is_new := true;
  if p_source_id is not null then
    insert into skein.event_key (namespace_id, source, id_hash, event_id, expires_at)
    values (p_namespace_id, v_source, sha256(convert_to(coalesce(p_run_id::text, '') || E'\n' || p_source_id, 'UTF8')), event_id,
            greatest(v_expires_at, clock_timestamp() + interval '7 days'))
    on conflict (namespace_id, source, id_hash) do nothing;
    if not found then
      select k.event_id into event_id from skein.event_key k
       where k.namespace_id = p_namespace_id and k.source = v_source
         and k.id_hash = sha256(convert_to(coalesce(p_run_id::text, '') || E'\n' || p_source_id, 'UTF8'));
      is_new := false;
      return;
    end if;
  end if;
  -- A run that is over, or was never there, takes nothing any more: whoever looks at the event sees why.
  if p_run_id is not null and not exists (select from skein.run r where r.run_id = p_run_id) then
    insert into skein.event (event_id, namespace_id, name, run_id, source, source_id, actor, data, expires_at, state, decided_at, reason)
    overriding system value
    values (event_id, p_namespace_id, p_name, p_run_id, p_source, p_source_id, p_actor, p_data, v_expires_at, 'refused', clock_timestamp(),
            coalesce((select 'run ' || e.run_id || ' has ended: it ' || e.status from skein.ended_run e where e.run_id = p_run_id),
                     'there is no run ' || p_run_id));
    return;
  end if;
  insert into skein.event (event_id, namespace_id, name, run_id, key, correlation, source, source_id, actor, data, expires_at)
  overriding system value
  values (event_id, p_namespace_id, p_name, p_run_id, p_key, v_correlation, p_source, p_source_id, p_actor, p_data, v_expires_at);
  insert into skein.match (namespace_id, correlation, run_id) values (p_namespace_id, v_correlation, p_run_id);
end
$$;

-- Sends an event to one run. It is kept until a step of the run takes it. Answers with the event's number; the same p_id twice counts
-- once, also after the run has ended. SK004 when there is no such run, SK006 when it has ended.
create or replace function skein.signal(
  p_run_id uuid, p_name text, p_data jsonb default '{}', p_id text default null, p_actor text default null)
returns bigint
language plpgsql as $$
declare
  v_namespace_id integer;
  v_event_id     bigint;
begin
  select namespace_id into v_namespace_id from skein.run where run_id = p_run_id;
  if not found then
    -- Whoever sends again because the answer was lost gets the answer.
    select k.event_id into v_event_id
      from skein.ended_run e
      join skein.event_key k on k.namespace_id = e.namespace_id and k.source = 'signal'
       and k.id_hash = sha256(convert_to(p_run_id || E'\n' || p_id, 'UTF8'))
     where e.run_id = p_run_id;
    if found then
      return v_event_id;
    end if;
    raise exception 'run % has ended: it %', p_run_id, skein.ending_of_v1(p_run_id) using errcode = 'SK006';
  end if;
  return (skein.publish_v1(v_namespace_id, p_name, p_run_id, null, coalesce(p_data, 'null')::text, 'signal', p_id,
                           coalesce(p_actor, session_user), interval '10 years')).event_id;
end
$$;

-- Publishes an event to whichever run waits for one of this name and key, now or within p_lifetime. Answers with the event's number; the
-- same p_source and p_id twice counts once. SK004 when there is no such namespace.
create or replace function skein.emit(
  p_name text, p_data jsonb default '{}', p_key text default null, p_source text default null, p_id text default null,
  p_namespace text default 'default', p_lifetime interval default '7 days', p_actor text default null)
returns bigint
language plpgsql as $$
declare
  v_namespace_id integer;
begin
  select namespace_id into v_namespace_id from skein.namespace where name = p_namespace;
  if not found then
    raise exception 'there is no namespace "%"', p_namespace using errcode = 'SK004';
  end if;
  return (skein.publish_v1(v_namespace_id, p_name, null, p_key, coalesce(p_data, 'null')::text, p_source, p_id,
                           coalesce(p_actor, session_user), p_lifetime)).event_id;
end
$$;

-- Brings events and waits together: looks at up to p_limit names, and hands each event to the wait that has waited longest (a broadcast
-- to every one), through the run's inbox. A wait is given one event at a time; what it does not take goes to the next. Answers
-- with how many events were handed out, and whether there was anything to look at.
create or replace function skein.match_waits_v1(p_limit integer, out handed integer, out looked_at integer)
language plpgsql as $$
declare
  v_correlations bytea[];
  v_runs         uuid[];
  v_locked       uuid[];
begin
  perform skein.plan_by_key_v1();
  handed := 0;
  with taken as (
    delete from skein.match m
     where m.match_id in (select match_id from skein.match order by match_id limit p_limit for update skip locked)
    returning m.correlation, m.run_id)
  select array_agg(distinct correlation) filter (where correlation is not null),
         array_agg(distinct run_id) filter (where run_id is not null), count(*)::integer
    into v_correlations, v_runs, looked_at
    from taken;
  if looked_at = 0 then
    return;
  end if;
  -- The key locks, in one order: two matchers never look at the same name at the same time.
  perform pg_advisory_xact_lock(k.lock_key)
     from (select distinct lock_key
             from (select hashtextextended(encode(c, 'hex'), 2) as lock_key from unnest(v_correlations) as c
                   union all
                   select hashtextextended(r::text, 2) from unnest(v_runs) as r) as keys
            order by lock_key) as k;
  -- Then the runs that wait, so that none of them ends or is paused meanwhile; from the top down, as lock_tree_v1 does.
  select array_agg(run_id) into v_locked
    from (select r.run_id from skein.run r
           where r.run_id = any (
             array(select w.run_id from skein.wait w where w.run_id = any (v_runs)
                   union
                   select k.run_id from skein.wait_key k where k.correlation = any (v_correlations)))
           order by r.depth, r.run_id
             for share) as locked;
  if v_locked is null then
    return;
  end if;
  with candidate as (
    select e.event_id, w.run_id, w.path, w.namespace_id, w.is_broadcast, w.created_at
      from skein.wait w
      join skein.event e on e.run_id = w.run_id
     where w.run_id = any (v_runs) and w.run_id = any (v_locked)
       and e.state = 'buffered' and (w.names is null or e.name = any (w.names))
    union all
    select e.event_id, w.run_id, w.path, w.namespace_id, w.is_broadcast, w.created_at
      from skein.wait_key k
      join skein.wait w on w.run_id = k.run_id and w.path = k.path
      join skein.event e on e.correlation = k.correlation
     where k.correlation = any (v_correlations) and w.run_id = any (v_locked)
       and e.state = 'buffered' and e.at >= w.since and e.expires_at > clock_timestamp()),
  open as (
    select c.* from candidate c
     where not exists (select from skein.event_delivery d where d.event_id = c.event_id and d.run_id = c.run_id and d.path = c.path)
       and not exists (select from skein.inbox i where i.run_id = c.run_id and i.path = c.path and i.kind = 'event')),
  -- Each wait its oldest event; and of those that are for one only, each event its oldest wait.
  first_event as (
    select distinct on (run_id, path) * from open order by run_id, path, event_id),
  pair as (
    select event_id, run_id, path, namespace_id, is_broadcast from first_event where is_broadcast
    union all
    select * from (
      select distinct on (event_id) event_id, run_id, path, namespace_id, is_broadcast
        from first_event where not is_broadcast order by event_id, created_at, run_id, path) as one),
  offered as (
    update skein.event e set state = 'offered', taken_by = p.run_id, taken_path = p.path
      from pair p where e.event_id = p.event_id and not p.is_broadcast),
  delivered as (
    insert into skein.event_delivery (event_id, run_id, path, namespace_id, is_broadcast)
    select event_id, run_id, path, namespace_id, is_broadcast from pair),
  told as (
    insert into skein.inbox (run_id, namespace_id, kind, path, event_id, held)
    select p.run_id, p.namespace_id, 'event', p.path, p.event_id, r.paused_at is not null
      from pair p join skein.run r on r.run_id = p.run_id
    returning 1)
  select count(*)::integer into handed from told;
  -- An event that was for one of several waits leaves the others with what comes next.
  if handed > 0 then
    insert into skein.match (namespace_id, correlation)
    select distinct k.namespace_id, k.correlation from skein.wait_key k
     where k.correlation = any (v_correlations)
       and exists (select from skein.event e where e.correlation = k.correlation and e.state = 'buffered'
                      and not exists (select from skein.event_delivery d
                                       where d.event_id = e.event_id and d.run_id = k.run_id and d.path = k.path))
       and not exists (select from skein.inbox i where i.run_id = k.run_id and i.path = k.path and i.kind = 'event');
    insert into skein.match (namespace_id, run_id)
    select distinct w.namespace_id, w.run_id from skein.wait w
     where w.run_id = any (v_locked)
       and exists (select from skein.event e where e.run_id = w.run_id and e.state = 'buffered' and (w.names is null or e.name = any (w.names))
                      and not exists (select from skein.event_delivery d
                                       where d.event_id = e.event_id and d.run_id = w.run_id and d.path = w.path))
       and not exists (select from skein.inbox i where i.run_id = w.run_id and i.path = w.path and i.kind = 'event');
  end if;
end
$$;

-- Expires up to p_limit events that nobody can take any more: their time is over, or the run they are for has ended. Removes those, and
-- deliveries, that were decided before p_keep. Answers with how many rows it touched.
create or replace function skein.expire_events_v1(p_keep interval, p_limit integer) returns integer
language plpgsql as $$
declare
  v_touched integer;
  v_all     integer := 0;
begin
  update skein.event e set state = 'expired', decided_at = clock_timestamp(), taken_by = null, taken_path = null,
         reason = case when e.run_id is null then 'nobody took it in time' else 'the run ended before anybody took it' end
   where e.event_id in (
     select x.event_id from skein.event x
      where (x.state in ('buffered', 'offered') and x.run_id is not null and not exists (select from skein.run r where r.run_id = x.run_id))
         or (x.state = 'buffered' and x.expires_at < clock_timestamp())
      order by x.event_id limit p_limit for update skip locked);
  get diagnostics v_touched = row_count;
  v_all := v_all + v_touched;
  -- One that was offered to a run that ended before it could decide is anybody's again.
  with freed as (
    update skein.event e set state = 'buffered', taken_by = null, taken_path = null
     where e.state = 'offered' and e.run_id is null and not exists (select from skein.run r where r.run_id = e.taken_by)
    returning e.namespace_id, e.correlation)
  insert into skein.match (namespace_id, correlation) select namespace_id, correlation from freed;
  delete from skein.event_key where (namespace_id, source, id_hash) in (
    select namespace_id, source, id_hash from skein.event_key where expires_at < clock_timestamp()
     order by expires_at limit p_limit for update skip locked);
  get diagnostics v_touched = row_count;
  v_all := v_all + v_touched;
  if p_keep > interval '0' then
    with gone as (
      delete from skein.event where event_id in (
        select event_id from skein.event
         where state not in ('buffered', 'offered') and decided_at < clock_timestamp() - p_keep
         order by event_id limit p_limit for update skip locked)
      returning event_id)
    delete from skein.event_delivery d using gone where d.event_id = gone.event_id;
    get diagnostics v_touched = row_count;
    v_all := v_all + v_touched;
  end if;
  return v_all;
end
$$;
