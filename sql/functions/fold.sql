-- The fold's side of the protocol: which runs have something to decide.

-- Plans of statements that work by keys are kept, and must be good also when a table has grown since they were made: an index look-up
-- for each key, whatever the planner believes of the table at that moment. Holds to the end of the transaction.
create or replace function skein.plan_by_key_v1() returns void
language plpgsql as $$
begin
  perform set_config('plan_cache_mode', 'force_generic_plan', true), set_config('enable_seqscan', 'off', true),
          set_config('enable_bitmapscan', 'off', true), set_config('enable_hashjoin', 'off', true),
          set_config('enable_mergejoin', 'off', true), set_config('enable_material', 'off', true), set_config('jit', 'off', true);
end
$$;

-- Locks the runs of up to p_limit settled tasks, p_limit orders in the inbox and p_limit due timers, oldest first, and answers with
-- the rows of these runs and the keys of what there is to fold. Runs are looked up by what is due (`offset 0` keeps it so): a plan made
-- while there were few runs would look through all of them, 12 ms with 20,000 runs. Runs that another coordinator or lane works on are passed over; quarantined
-- and paused ones are left alone, but for a cancel, which ends the pause. What the keys name must be read in a statement after this
-- one: only then nobody else can have folded it.
create or replace function skein.lock_due_runs_v1(p_limit integer)
returns table (
  run_id uuid, namespace_id integer, version_id bigint, revision bigint, history_length integer, unsettled integer, live integer,
  block_ending text, started_at timestamptz, cancel_requested_at timestamptz, cancel_reason text, submitted_at timestamptz,
  deadline_at timestamptz, trigger text, labels text,
  settled_paths text[], inbox_ids bigint[], timer_paths text[], timer_kinds text[],
  parent_run_id uuid, root_run_id uuid, depth integer, lineage text, callees text, is_begun boolean)
language plpgsql as $$
#variable_conflict use_column
declare
  v_settled_runs  uuid[];
  v_settled_paths text[];
  v_small         constant integer := 16;
  v_patience      constant interval := '100 milliseconds';
  v_small_runs    uuid[];
  v_large_runs    uuid[];
  v_locked_runs   uuid[];
  v_is_late       boolean;
  v_order_runs    uuid[];
  v_order_ids     bigint[];
  v_cancelled_runs uuid[];
  v_timer_runs    uuid[];
  v_timer_paths   text[];
  v_timer_kinds   text[];
begin
  perform skein.plan_by_key_v1();
  -- Runs of which much is due are folded by themselves, so that the others need not wait for them: as long as there are others that
  -- nobody else is folding, these are taken alone, unless the large ones have waited long. Short runs beside a loop of 100,000 items
  -- end within 47 ms (p95) instead of 60.
  select array_agg(p.run_id), array_agg(p.path), array_agg(p.run_id) filter (where p.due <= v_small),
         array_agg(p.run_id) filter (where p.due > v_small),
         coalesce(min(p.settled_at) filter (where p.due > v_small) < clock_timestamp() - v_patience, false)
    into v_settled_runs, v_settled_paths, v_small_runs, v_large_runs, v_is_late
    from (select d.run_id, d.path, d.settled_at, count(*) over (partition by d.run_id) as due
            from (select t.run_id, t.path, t.settled_at
                    from skein.task t
                         cross join lateral (
                           select from skein.run k
                            where k.run_id = t.run_id and k.quarantined_at is null and k.paused_at is null offset 0) as r
                   where t.state = 'settled' and not t.held
                   order by t.settled_at
                   limit p_limit) as d) as p;
  if v_small_runs is not null and not v_is_late then
    select array_agg(k.run_id) into v_locked_runs
      from (select r.run_id from skein.run r
             where r.run_id = any (v_small_runs) and r.quarantined_at is null and r.paused_at is null
               for update skip locked) as k;
  end if;
  if v_locked_runs is null and v_large_runs is not null then
    select array_agg(k.run_id) into v_locked_runs
      from (select r.run_id from skein.run r
             where r.run_id = any (v_large_runs) and r.quarantined_at is null and r.paused_at is null
               for update skip locked) as k;
  end if;
  if v_locked_runs is null and v_is_late then
    select array_agg(k.run_id) into v_locked_runs
      from (select r.run_id from skein.run r
             where r.run_id = any (v_small_runs) and r.quarantined_at is null and r.paused_at is null
               for update skip locked) as k;
  end if;
  if v_locked_runs is null and cardinality(v_settled_runs) = p_limit then
    -- Somebody works on all that stands in front: look behind it.
    select array_agg(p.run_id), array_agg(p.path) into v_settled_runs, v_settled_paths
      from (select t.run_id, t.path
              from skein.task t
                   cross join lateral (
                     select from skein.run k
                      where k.run_id = t.run_id and k.quarantined_at is null and k.paused_at is null offset 0 for update skip locked) as r
             where t.state = 'settled' and not t.held
             order by t.settled_at
             limit p_limit) as p;
  else
    select array_agg(s.run_id), array_agg(s.path) into v_settled_runs, v_settled_paths
      from unnest(v_settled_runs, v_settled_paths) as s (run_id, path) where s.run_id = any (v_locked_runs);
  end if;
  select array_agg(p.run_id), array_agg(p.inbox_id), array_agg(p.run_id) filter (where p.is_new_cancel)
    into v_order_runs, v_order_ids, v_cancelled_runs
    from (select i.run_id, i.inbox_id,
                 i.kind = 'cancel' and (r.cancel_requested_at is null or r.paused_at is not null) as is_new_cancel
            from skein.inbox i
                 cross join lateral (
                   select k.cancel_requested_at, k.paused_at from skein.run k
                    where k.run_id = i.run_id and k.quarantined_at is null and (k.paused_at is null or i.kind = 'cancel')
                   offset 0 for update skip locked) as r
           where not i.held
           order by i.inbox_id
           limit p_limit) as p;
  select array_agg(p.run_id), array_agg(p.path), array_agg(p.kind) into v_timer_runs, v_timer_paths, v_timer_kinds
    from (select d.run_id, d.path, d.kind
            from skein.timer d
                 cross join lateral (
                   select from skein.run k
                    where k.run_id = d.run_id and k.quarantined_at is null and k.paused_at is null offset 0 for update skip locked) as r
           where not d.held and d.due_at <= skein.now()
           order by d.due_at
           limit p_limit) as p;
  if v_settled_runs is null and v_order_runs is null and v_timer_runs is null then
    return;
  end if;
  if v_cancelled_runs is not null then
    perform skein.mark_cancelled_v1(v_cancelled_runs, null);
  end if;
  -- A statement of its own, so that it sees the rows as they are now that they are locked.
  return query
    select r.run_id, r.namespace_id, r.version_id, r.revision, r.history_length, r.unsettled, r.live, r.block_ending, r.started_at,
           r.cancel_requested_at, r.cancel_reason, r.submitted_at, r.deadline_at, r.trigger, r.labels,
           g.settled_paths, g.inbox_ids, g.timer_paths, g.timer_kinds,
           r.parent_run_id, r.root_run_id, r.depth, r.lineage, r.callees, r.is_begun
      from (select due.run_id, array_agg(due.settled_path) filter (where due.settled_path is not null) as settled_paths,
                   array_agg(due.inbox_id) filter (where due.inbox_id is not null) as inbox_ids,
                   array_agg(due.timer_path) filter (where due.timer_path is not null) as timer_paths,
                   array_agg(due.timer_kind) filter (where due.timer_kind is not null) as timer_kinds
              from (select s.run_id, s.path as settled_path, null::bigint as inbox_id, null::text as timer_path, null::text as timer_kind
                      from unnest(v_settled_runs, v_settled_paths) as s (run_id, path)
                    union all
                    select o.run_id, null, o.inbox_id, null, null from unnest(v_order_runs, v_order_ids) as o (run_id, inbox_id)
                    union all
                    select d.run_id, null, null, d.path, d.kind
                      from unnest(v_timer_runs, v_timer_paths, v_timer_kinds) as d (run_id, path, kind)) as due
             group by due.run_id) as g
           cross join lateral (select * from skein.run k where k.run_id = g.run_id offset 0) as r;
end
$$;
