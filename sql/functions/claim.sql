-- Claim and settle: what workers do with the queue. Bounded, set-wise, and without any run lock.

-- Takes up to p_limit ready tasks of the session's queues, in the order priority, time of becoming ready. Each task gets a fence
-- above all that were ever granted. Never waits for a lock. SK001 when the session is dead.
create or replace function skein.claim_tasks_v1(p_session_id bigint, p_limit integer)
returns table (run_id uuid, path text, fence bigint, attempt integer, version_id bigint, step_index integer, input text, claimed_at timestamptz)
language plpgsql security definer set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan set jit = off
set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off as $$
#variable_conflict use_column
declare
  v_queue_ids integer[];
  v_queue_id  integer;
  v_base      bigint;
  v_left      integer := p_limit;
  v_taken     integer;
  v_begun     timestamptz;
  v_priority  smallint;
  v_since     timestamptz;
begin
  -- A share of the key: marking the session dead waits for us, its heartbeat does not.
  select s.queue_ids into v_queue_ids from skein.worker_session s
   where s.session_id = p_session_id and s.dead_at is null for key share;
  if not found then
    raise exception 'worker session % is dead', p_session_id using errcode = 'SK001';
  end if;
  v_base := skein.timeline()::bigint << 40;
  foreach v_queue_id in array v_queue_ids loop
    exit when v_left <= 0;
    v_begun := clock_timestamp();
    select w.priority, w.since into v_priority, v_since from skein.low_water w
     where w.kind = 'ready' and w.queue_id = v_queue_id and v_begun between w.since and w.valid_until
     order by w.number desc limit 1;
    if v_since is null then
      return query
        with picked as materialized (
          select t.ctid as place from skein.task t
           where t.queue_id = v_queue_id and t.state = 'ready' and not t.held
           order by t.priority desc, t.ready_at
           limit v_left
           for update skip locked)
        update skein.task t
           set state = 'leased', session_id = p_session_id, fence = v_base + nextval('skein.fence_sequence'),
               claimed_at = clock_timestamp()
          from picked p
         where t.ctid = p.place
        returning t.run_id, t.path, t.fence, t.attempt, t.version_id, t.step_index, t.input, t.claimed_at;
    else
      -- The same, but for what lies below the mark: higher priorities, those of the mark from the mark on, lower priorities.
      return query
        with picked as materialized (
          select p.place
            from (select above.place
                    from (select t.ctid as place from skein.task t
                           where t.queue_id = v_queue_id and t.state = 'ready' and not t.held and t.priority > v_priority
                           order by t.priority desc, t.ready_at
                           limit v_left
                           for update skip locked) as above
                  union all
                  select level.place
                    from (select t.ctid as place from skein.task t
                           where t.queue_id = v_queue_id and t.state = 'ready' and not t.held and t.priority = v_priority
                             and t.ready_at >= v_since
                           order by t.ready_at
                           limit v_left
                           for update skip locked) as level
                  union all
                  select below.place
                    from (select t.ctid as place from skein.task t
                           where t.queue_id = v_queue_id and t.state = 'ready' and not t.held and t.priority < v_priority
                           order by t.priority desc, t.ready_at
                           limit v_left
                           for update skip locked) as below) as p
           limit v_left)
        update skein.task t
           set state = 'leased', session_id = p_session_id, fence = v_base + nextval('skein.fence_sequence'),
               claimed_at = clock_timestamp()
          from picked p
         where t.ctid = p.place
        returning t.run_id, t.path, t.fence, t.attempt, t.version_id, t.step_index, t.input, t.claimed_at;
    end if;
    get diagnostics v_taken = row_count;
    v_left := v_left - v_taken;
    -- Far longer than the tasks that were found account for: dead entries lie in front of them.
    if clock_timestamp() - v_begun > interval '2 milliseconds' + v_taken * interval '50 microseconds' then
      perform skein.raise_ready_mark_v1(v_queue_id);
    end if;
  end loop;
  -- A lease has to be durable before its call begins. Outcomes that go with no lease need not be: the fold that makes something of them waits
  -- for its own commit, which comes behind theirs; and what a crash takes with it the worker reports again, or the step is tried again.
  if v_left = p_limit then
    perform set_config('synchronous_commit', 'off', true);
  end if;
end
$$;

-- Reports outcomes. A task changes only where its fence and session still hold; the answer is the 1-based places of those that did.
-- What is missing from the answer has passed on to somebody else. Outcomes are the words of skein.attempt_status.
create or replace function skein.settle_tasks_v1(
  p_session_id bigint, p_run_ids uuid[], p_paths text[], p_fences bigint[], p_outcomes text[], p_outputs text[], p_failures text[],
  p_details text[])
returns setof integer
language plpgsql security definer set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan set jit = off
set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
  v_settled integer;
begin
  -- Key by key, whatever the planner believes of the table: the look-up depends on the key, so it cannot come first. In the order of the
  -- keys, as everybody locks many tasks who waits for them (a pause, a cancel).
  return query
    update skein.task t
       set state = 'settled', settled_at = clock_timestamp(), outcome = g.outcome::skein.attempt_status, output = g.output,
           failure = g.failure, details = g.details
      from (select * from unnest(p_run_ids, p_paths, p_fences, p_outcomes, p_outputs, p_failures, p_details)
                          with ordinality as u (run_id, path, fence, outcome, output, failure, details, place)
             order by u.run_id, u.path collate "C") as g
           cross join lateral (
             select k.ctid as place from skein.task k
              where k.run_id = g.run_id and k.path = g.path and k.fence = g.fence and k.session_id = p_session_id and k.state = 'leased'
             offset 0) as k
     where t.ctid = k.place
    returning g.place::integer;
  get diagnostics v_settled = row_count;
  -- A row that somebody changed in the same moment has moved. If it is still ours, this finds it; it seldom runs.
  if v_settled < cardinality(p_run_ids) then
    return query
      update skein.task t
         set state = 'settled', settled_at = clock_timestamp(), outcome = g.outcome::skein.attempt_status, output = g.output,
             failure = g.failure, details = g.details
        from (select * from unnest(p_run_ids, p_paths, p_fences, p_outcomes, p_outputs, p_failures, p_details)
                            with ordinality as u (run_id, path, fence, outcome, output, failure, details, place)
               order by u.run_id, u.path collate "C") as g
       where t.run_id = g.run_id and t.path = g.path and t.fence = g.fence and t.session_id = p_session_id and t.state = 'leased'
      returning g.place::integer;
  end if;
end
$$;

-- Gives back what the session holds without knowing it: the tasks of a claim whose answer was lost. p_known are the fences of all
-- that the worker is working on or has yet to report. Needed only after a failure, so it may look through the table; and then again from time
-- to time: a claim whose connection is gone may be committed after the look.
create or replace function skein.release_strays_v1(p_session_id bigint, p_known bigint[]) returns integer
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_released integer;
begin
  perform from skein.task t
    where t.session_id = p_session_id and t.state = 'leased' and t.fence <> all (p_known) order by t.run_id, t.path for update;
  update skein.task t
     set state = 'settled', settled_at = clock_timestamp(), outcome = 'released'
   where t.session_id = p_session_id and t.state = 'leased' and t.fence <> all (p_known);
  get diagnostics v_released = row_count;
  return v_released;
end
$$;
