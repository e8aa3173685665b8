-- Worker sessions: a process registers once, renews one row every few seconds however many tasks it holds, and says good-bye.

-- Errors that callers act upon have SQLSTATEs of their own:
--   SK001  the session is dead (or was never there): register a new one

create or replace function skein.register_session_v1(
  p_namespace text, p_worker text, p_host text, p_pid integer, p_version text, p_queues text[], p_slots integer, p_lease_milliseconds integer)
returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_namespace_id integer;
  v_session_id   bigint;
begin
  select namespace_id into v_namespace_id from skein.namespace where name = p_namespace;
  if not found then
    raise exception 'there is no namespace "%"', p_namespace using errcode = 'SK004';
  end if;
  insert into skein.queue (namespace_id, name)
  select v_namespace_id, q from unnest(p_queues) as q
  on conflict (namespace_id, name) do nothing;
  -- Like a fence, a session's number is never given again, not by a standby that was promoted without the last registrations: two workers
  -- with one number would keep each other's leases alive.
  insert into skein.worker_session (
         session_id, namespace_id, worker, host, pid, version, queue_ids, slots, lease_milliseconds, lease_until)
  overriding system value
  select (skein.timeline()::bigint << 40) + nextval(pg_get_serial_sequence('skein.worker_session', 'session_id')), v_namespace_id, p_worker, p_host, p_pid, p_version,
         (select array_agg(queue_id order by array_position(p_queues, q.name)) from skein.queue q
           where q.namespace_id = v_namespace_id and q.name = any (p_queues)),
         p_slots, p_lease_milliseconds, clock_timestamp() + p_lease_milliseconds * interval '1 millisecond'
  returning session_id into v_session_id;
  return v_session_id;
end
$$;

-- Renews the lease. No row: the session is dead. Otherwise one row, with the attempts that are no longer wanted as a JSON
-- array of {"run", "path", "fence"}. The commit need not be durable: a heartbeat that is lost costs at most a lease.
create or replace function skein.heartbeat_v1(p_session_id bigint, p_draining boolean)
returns table (lease_until timestamptz, cancels text)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  v_lease_until timestamptz;
begin
  perform set_config('synchronous_commit', 'off', true);
  update skein.worker_session s
     set heartbeat_at = clock_timestamp(), draining = p_draining,
         lease_until = clock_timestamp() + s.lease_milliseconds * interval '1 millisecond'
   where s.session_id = p_session_id and s.dead_at is null
  returning s.lease_until into v_lease_until;
  if not found then
    return;
  end if;
  return query
    with taken as (delete from skein.cancel_notice n where n.session_id = p_session_id returning n.run_id, n.path, n.fence)
    select v_lease_until,
           (select json_agg(json_build_object('run', taken.run_id, 'path', taken.path, 'fence', taken.fence::text))::text from taken);
end
$$;

-- Ends a session that holds nothing any more. What it still holds is reaped as lost.
create or replace function skein.close_session_v1(p_session_id bigint) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  update skein.worker_session set dead_at = clock_timestamp(), dead_reason = 'closed'
   where session_id = p_session_id and dead_at is null;
  return found;
end
$$;

-- What a worker must know to carry out steps: the agent and its limits of each, as JSON. The same for every run of a version.
create or replace function skein.step_calls_v1(p_version_ids bigint[], p_step_indexes integer[])
returns table (version_id bigint, step_index integer, call text)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select v.version_id, v.step_index, v.call
    from unnest(p_version_ids, p_step_indexes) as g (version_id, step_index)
         join skein.version_step v on v.version_id = g.version_id and v.step_index = g.step_index
$$;
