-- What the protocol's cells share, after the product's own tables: `run` loads the migrations into this schema, so that every row has the
-- columns, the checks, the indexes and the partitions that it has in Skein. Small functions around the tables; no decision is made in SQL.
-- psql variables: runs (how many are submitted before anything is measured), steps (how many each has).
\if :{?runs} \else \set runs 2000 \endif

insert into worker_session (namespace_id, worker, host, pid, version, queue_ids, slots, lease_milliseconds, lease_until)
select 1, 'floor-' || g, 'floor', g, '0', '{1}', 100, 86400000, clock_timestamp() + interval '1 day' from generate_series(1, 64) g;
insert into queue (namespace_id, name) values (1, 'elsewhere');

-- A UUIDv7: milliseconds since 1970 in the first 48 bits, the rest random.
create function new_run_id(p_millis bigint) returns uuid language sql volatile as $$
  select (lpad(to_hex(p_millis), 12, '0') || '7' || substr(md5(random()::text), 1, 3) || '8' || substr(md5(random()::text), 1, 15))::uuid
$$;

-- Submits runs, each with the task of its first step.
create function submit(p_count integer) returns void
language plpgsql set plan_cache_mode = force_generic_plan set jit = off as $$
declare millis bigint := extract(epoch from clock_timestamp()) * 1000;
begin
  with added as (
    insert into run (run_id, namespace_id, version_id, history_length, unsettled, live, submitted_at, trigger, input)
    select new_run_id(millis), 1, 1, 1, 1, 1, clock_timestamp(), 'api', '{}' from generate_series(1, p_count)
    returning run_id)
  insert into task (run_id, path, namespace_id, queue_id, priority, version_id, step_index, ready_at, input)
  select run_id, 's1', 1, 1, 0, 1, 0, clock_timestamp(), '{}' from added;
end $$;

create function claim(p_session bigint, p_limit integer, out n integer, out runs uuid[], out paths text[], out fences bigint[])
language plpgsql set plan_cache_mode = force_generic_plan set jit = off set enable_seqscan = off set enable_bitmapscan = off
set enable_sort = off as $$
declare base bigint := timeline()::bigint << 40;
begin
  perform from worker_session s where s.session_id = p_session and s.dead_at is null for key share;
  if not found then raise exception 'session % is dead', p_session; end if;
  with picked as materialized (
    select t.ctid as place from task t
     where t.queue_id = 1 and t.state = 'ready' and not t.held
     order by t.priority desc, t.ready_at
     limit p_limit for update skip locked),
  claimed as (
    update task t
       set state = 'leased', session_id = p_session, fence = base + nextval('fence_sequence'), claimed_at = clock_timestamp()
      from picked p
     where t.ctid = p.place
    returning t.run_id, t.path, t.fence)
  select count(*), coalesce(array_agg(c.run_id), '{}'), coalesce(array_agg(c.path), '{}'), coalesce(array_agg(c.fence), '{}')
    into n, runs, paths, fences from claimed c;
end $$;

create function settle(p_session bigint, p_runs uuid[], p_paths text[], p_fences bigint[], p_outputs text[]) returns bigint
language plpgsql set plan_cache_mode = force_generic_plan set jit = off set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off
set enable_mergejoin = off as $$
declare kept bigint;
begin
  update task t set state = 'settled', settled_at = clock_timestamp(), outcome = 'succeeded', output = g.output
    from unnest(p_runs, p_paths, p_fences, p_outputs) as g(run_id, path, fence, output)
         cross join lateral (
           select k.ctid as place from task k
            where k.run_id = g.run_id and k.path = g.path and k.fence = g.fence and k.session_id = p_session and k.state = 'leased'
           offset 0) as k
   where t.ctid = k.place;
  get diagnostics kept = row_count;
  return kept;
end $$;

create function seed() returns void language sql as $$ $$;

-- How many units of work are done.
create function progress() returns bigint language sql stable as $$ select count(*) from step $$;

-- What a busy cluster has: p_leased calls under way and p_ready / 2 held tasks in front of the claims, and the other half of p_ready behind them.
-- What is behind is in queue 2, the next keys of the same index, so that the workers of queue 1 walk the same pages and never take it.
create function seed_backlog(p_leased integer, p_ready integer) returns void language sql as $$
  insert into task (run_id, path, namespace_id, queue_id, version_id, step_index, ready_at, input, state, session_id, fence, claimed_at)
  select gen_random_uuid(), 's1', 1, 1, 1, 0, clock_timestamp() - interval '2 days', '{}', 'leased', 64, nextval('fence_sequence'), clock_timestamp() from generate_series(1, p_leased);
  insert into task (run_id, path, namespace_id, queue_id, version_id, step_index, ready_at, input, held)
  select gen_random_uuid(), 's1', 1, 1, 1, 0, clock_timestamp() - interval '1 day', '{}', true from generate_series(1, p_ready / 2);
  insert into task (run_id, path, namespace_id, queue_id, version_id, step_index, ready_at, input)
  select gen_random_uuid(), 's1', 1, 2, 1, 0, clock_timestamp(), '{}' from generate_series(1, p_ready - p_ready / 2);
$$;
