-- What happens to workers that are gone: their sessions are marked dead, and their tasks settle as lost. The fold then decides
-- (the step is tried again, or is poison): it holds the run's lock, so no reaper can start a step of a paused or cancelled run.

-- Marks sessions dead whose lease ran out. A session that is claiming at this moment is looked at again next time.
create or replace function skein.mark_dead_sessions_v1() returns integer
language sql as $$
  with gone as (
    select session_id from skein.worker_session
     where dead_at is null and lease_until < clock_timestamp()
     order by session_id
       for update skip locked),
  marked as (
    update skein.worker_session s set dead_at = clock_timestamp(), dead_reason = 'lease ran out'
      from gone where s.session_id = gone.session_id
    returning 1)
  select count(*)::integer from marked
$$;

-- Settles up to p_limit tasks of dead sessions as lost. A task that its worker is settling at this moment is left alone.
create or replace function skein.reap_tasks_v1(p_limit integer) returns integer
language plpgsql as $$
declare
  v_dead   bigint[];
  v_reaped integer;
begin
  select array_agg(session_id) into v_dead from skein.worker_session where dead_at is not null and reaped_at is null;
  if v_dead is null then
    return 0;
  end if;
  with picked as materialized (
    select run_id, path from skein.task
     where state = 'leased' and session_id = any (v_dead)
     limit p_limit
       for update skip locked)
  update skein.task t
     set state = 'settled', settled_at = clock_timestamp(), outcome = 'lost',
         failure = '{"type":"lost","message":"the worker was lost in mid-call"}'
    from picked p
   where t.run_id = p.run_id and t.path = p.path;
  get diagnostics v_reaped = row_count;
  if v_reaped < p_limit then
    update skein.worker_session s set reaped_at = clock_timestamp()
     where s.session_id = any (v_dead)
       and not exists (select from skein.task t where t.state = 'leased' and t.session_id = s.session_id);
    delete from skein.cancel_notice where session_id = any (v_dead);
  end if;
  return v_reaped;
end
$$;

-- Records the timeline this database is on. When it has changed, a standby was promoted: every lease is void.
create or replace function skein.check_epoch_v1() returns integer
language plpgsql as $$
declare
  v_voided integer := 0;
begin
  insert into skein.cluster_epoch (system_identifier, timeline)
  select (pg_control_system()).system_identifier, skein.timeline()
  on conflict do nothing;
  if found then
    -- A claim that is under way comes first: what it takes has to be there when the reaper looks, or it would stay leased for ever. So only
    -- what is locked is voided: who registers meanwhile is of this timeline, and may be claiming already.
    with alive as (
      select session_id from skein.worker_session where dead_at is null order by session_id for update)
    update skein.worker_session s set dead_at = clock_timestamp(), dead_reason = 'timeline changed'
      from alive where s.session_id = alive.session_id;
    get diagnostics v_voided = row_count;
    update skein.cluster_epoch e set voided_sessions = v_voided
     where e.timeline = skein.timeline() and e.system_identifier = (select (pg_control_system()).system_identifier);
  end if;
  return v_voided;
end
$$;
