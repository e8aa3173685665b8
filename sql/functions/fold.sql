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

-- Locks the runs of up to p_limit settled tasks, p_limit orders in the inbox and p_limit due timers, oldest first, and says how much there
-- is to fold, and whether there was more. Runs that another coordinator or lane works on are passed over; quarantined and paused ones are left alone, but for a cancel,
-- which ends the pause. p_passed are runs with many settled tasks that another lane of the same coordinator has just locked: of them nothing is asked but
-- the id, and what lies within eight times p_limit is looked at for the others. Lanes share the runs out among themselves (p_share of p_shares), and take each other's when their own have
-- nothing due. Results of more than 16 MiB together are left to the next fold, but for the first: whoever folds has them in memory. What is
-- due is read through the cursors that skein.open_due_v1 opens.
--
-- Runs are looked up by what is due (`offset 0` keeps it so): a plan made while there were few runs would look through all of them, 12 ms
-- with 20,000 runs. Whether a run may be folded is seen when it is locked; only where one may not, the window is read again without such runs, as
-- they would stay in it.
create or replace function skein.lock_due_runs_v1(p_limit integer, p_share integer, p_shares integer, p_passed uuid[])
returns table (runs integer, outcomes integer, orders integer, timers integer, at timestamptz, has_more boolean)
language plpgsql as $$
declare
  v_small         constant integer := 16;
  v_patience      constant interval := '100 milliseconds';
  v_most_bytes    constant bigint := 16777216;
  v_most_passed   constant integer := 8;
  v_share         integer := p_share;
  v_shares        integer := p_shares;
  v_settled_runs  uuid[];
  v_settled_paths text[];
  v_is_small      boolean[];
  v_large_runs    uuid[];
  v_some_small    boolean;
  v_some_large    boolean;
  v_is_late       boolean;
  v_is_much       boolean;
  v_is_full       boolean;
  v_asks_runs     boolean := false;
  v_wants_small   boolean;
  v_seen_until    timestamptz;
  v_locked_runs   uuid[];
  v_locked_paths  text[];
  v_order_runs    uuid[];
  v_order_ids     bigint[];
  v_cancelled_runs uuid[];
  v_timer_runs    uuid[];
  v_timer_paths   text[];
  v_timer_kinds   text[];
  v_since         timestamptz;
  v_begun         timestamptz;
begin
  perform skein.plan_by_key_v1();
  v_since := skein.settled_mark_v1();
  loop
    v_begun := clock_timestamp();
    select array_agg(p.run_id) filter (where p.fits), array_agg(p.path) filter (where p.fits), array_agg(p.due <= v_small) filter (where p.fits),
           bool_or(p.due <= v_small and p.fits), bool_or(p.due > v_small and p.fits),
           coalesce(min(p.settled_at) filter (where p.due > v_small) < clock_timestamp() - v_patience, false), bool_or(not p.fits),
           count(*) >= p_limit, max(p.settled_at)
      into v_settled_runs, v_settled_paths, v_is_small, v_some_small, v_some_large, v_is_late, v_is_much, v_is_full, v_seen_until
      from (select d.run_id, d.path, d.settled_at, count(*) over (partition by d.run_id) as due,
                   row_number() over oldest = 1 or sum(d.bytes) over oldest <= v_most_bytes as fits
              from (select w.run_id, w.path, w.settled_at, coalesce(octet_length(w.output), 0) as bytes
                      from (select t.run_id, t.path, t.settled_at, t.output
                              from skein.task t
                             where t.state = 'settled' and not t.held and t.settled_at >= v_since
                               and (v_shares = 1 or get_byte(uuid_send(t.run_id), 15) % v_shares = v_share)
                               and (not v_asks_runs
                                    or exists (
                                      select from skein.run k
                                       where k.run_id = t.run_id and k.quarantined_at is null and k.paused_at is null offset 0))
                             order by t.settled_at
                             limit case when cardinality(p_passed) = 0 then p_limit else p_limit * v_most_passed end) as w
                     where w.run_id <> all (p_passed)
                     order by w.settled_at
                     limit p_limit) as d
            window oldest as (order by d.settled_at rows unbounded preceding)) as p;
    -- Far longer than what was found accounts for: dead entries lie in front of it.
    if cardinality(p_passed) = 0 and clock_timestamp() - v_begun > interval '2 milliseconds' + coalesce(cardinality(v_settled_runs), 0) * interval '30 microseconds' then
      perform skein.raise_settled_mark_v1();
    end if;
    -- Runs of which much is due are folded by themselves, so that the others need not wait for them: as long as there are others that
    -- nobody else is folding, these are taken alone, unless the large ones have waited long. Short runs beside a loop of 100,000 items
    -- end within 47 ms (p95) instead of 60.
    v_wants_small := v_some_small and not v_is_late;
    while v_locked_runs is null and v_wants_small is not null loop
      if v_wants_small then
        -- A run that is ours by now is not passed over, so each of its tasks is found.
        select array_agg(s.run_id), array_agg(s.path) into v_locked_runs, v_locked_paths
          from unnest(v_settled_runs, v_settled_paths, v_is_small) as s (run_id, path, is_small)
               cross join lateral (
                 select from skein.run k
                  where k.run_id = s.run_id and k.quarantined_at is null and k.paused_at is null offset 0 for update skip locked) as r
         where s.is_small;
      else
        select array_agg(g.run_id), array_agg(g.run_id) filter (where r.run_id is not null) into v_large_runs, v_locked_runs
          from (select distinct s.run_id from unnest(v_settled_runs, v_is_small) as s (run_id, is_small) where not s.is_small) as g
               left join lateral (
                 select k.run_id from skein.run k
                  where k.run_id = g.run_id and k.quarantined_at is null and k.paused_at is null offset 0 for update skip locked) as r on true;
        if v_locked_runs is not null then
          select array_agg(s.run_id), array_agg(s.path) into v_locked_runs, v_locked_paths
            from unnest(v_settled_runs, v_settled_paths, v_is_small) as s (run_id, path, is_small)
           where not s.is_small and s.run_id = any (v_locked_runs);
        end if;
      end if;
      v_wants_small := case when v_some_small and v_some_large and v_wants_small = not v_is_late then v_is_late end;
    end loop;
    if not v_asks_runs and coalesce(cardinality(v_locked_runs), 0) < cardinality(v_settled_runs) then
      select exists (
               select from (select distinct s.run_id from unnest(v_settled_runs) as s (run_id)) as g
                where exists (
                        select from skein.run k
                         where k.run_id = g.run_id and (k.quarantined_at is not null or k.paused_at is not null) offset 0))
        into v_asks_runs;
      if v_asks_runs then
        v_locked_runs := null;
        continue;
      end if;
    end if;
    exit when v_locked_runs is not null or v_shares = 1;
    -- Nothing of our own, or somebody works on it: what there is of others'.
    v_share := 0;
    v_shares := 1;
  end loop;
  if v_locked_runs is null and v_is_full then
    -- Somebody works on all that stands in front: take what lies behind it.
    select array_agg(d.run_id) filter (where d.fits), array_agg(d.path) filter (where d.fits), bool_or(not d.fits)
      into v_locked_runs, v_locked_paths, v_is_much
      from (select p.run_id, p.path, row_number() over oldest = 1 or sum(p.bytes) over oldest <= v_most_bytes as fits
              from (select t.run_id, t.path, t.settled_at, coalesce(octet_length(t.output), 0) as bytes
                      from (select k.run_id, k.path, k.settled_at, k.output from skein.task k
                             where k.state = 'settled' and not k.held and k.settled_at >= v_seen_until
                             order by k.settled_at
                             limit p_limit * v_most_passed) as t
                           cross join lateral (
                             select from skein.run k
                              where k.run_id = t.run_id and k.quarantined_at is null and k.paused_at is null offset 0 for update skip locked) as r
                     where t.run_id <> all (p_passed || coalesce(v_large_runs, '{}'))
                     order by t.settled_at
                     limit p_limit) as p
            window oldest as (order by p.settled_at rows unbounded preceding)) as d;
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
  if v_cancelled_runs is not null then
    perform skein.mark_cancelled_v1(v_cancelled_runs, null);
  end if;
  return query
    select d.runs, d.outcomes, d.orders, d.timers, d.at,
           coalesce(v_is_much or v_is_full or coalesce(cardinality(v_locked_runs), 0) < cardinality(v_settled_runs), false)
             or coalesce(cardinality(v_order_runs) >= p_limit or cardinality(v_timer_runs) >= p_limit, false)
      from skein.open_due_v1(v_locked_runs, v_locked_paths, v_order_runs, v_order_ids, v_timer_runs, v_timer_paths, v_timer_kinds) as d;
end
$$;

-- The same for runs that are named, as far as nobody else works on them: all that is due of them, up to p_limit of each kind for a run.
create or replace function skein.lock_given_runs_v1(p_runs uuid[], p_limit integer)
returns table (runs integer, outcomes integer, orders integer, timers integer, at timestamptz)
language plpgsql as $$
declare
  v_runs          uuid[];
  v_settled_runs  uuid[];
  v_settled_paths text[];
  v_order_runs    uuid[];
  v_order_ids     bigint[];
  v_timer_runs    uuid[];
  v_timer_paths   text[];
  v_timer_kinds   text[];
begin
  perform skein.plan_by_key_v1();
  select array_agg(k.run_id) into v_runs
    from (select r.run_id from skein.run r
           where r.run_id = any (p_runs) and r.quarantined_at is null and r.paused_at is null
           order by r.run_id
             for update skip locked) as k;
  select array_agg(t.run_id), array_agg(t.path) into v_settled_runs, v_settled_paths
    from unnest(v_runs) as g (run_id)
         cross join lateral (
           select k.run_id, k.path from skein.task k where k.run_id = g.run_id and k.state = 'settled' limit p_limit) as t;
  select array_agg(i.run_id), array_agg(i.inbox_id) into v_order_runs, v_order_ids
    from unnest(v_runs) as g (run_id)
         cross join lateral (
           select k.run_id, k.inbox_id from skein.inbox k where k.run_id = g.run_id order by k.inbox_id limit p_limit) as i;
  select array_agg(d.run_id), array_agg(d.path), array_agg(d.kind) into v_timer_runs, v_timer_paths, v_timer_kinds
    from unnest(v_runs) as g (run_id)
         cross join lateral (
           select k.run_id, k.path, k.kind from skein.timer k
            where k.run_id = g.run_id and k.due_at <= skein.now() order by k.path, k.kind limit p_limit) as d;
  return query
    select * from skein.open_due_v1(v_settled_runs, v_settled_paths, v_order_runs, v_order_ids, v_timer_runs, v_timer_paths, v_timer_kinds);
end
$$;

-- Opens a cursor on each kind of what is due, where there is some: due_runs, due_outcomes, due_orders, due_timers. The runs are locked, in
-- statements before: so nobody else can have folded what these read.
create or replace function skein.open_due_v1(
  p_settled_runs uuid[], p_settled_paths text[], p_order_runs uuid[], p_order_ids bigint[], p_timer_runs uuid[], p_timer_paths text[],
  p_timer_kinds text[])
returns table (runs integer, outcomes integer, orders integer, timers integer, at timestamptz)
language plpgsql as $$
declare
  due_runs     refcursor := 'due_runs';
  due_outcomes refcursor := 'due_outcomes';
  due_orders   refcursor := 'due_orders';
  due_timers   refcursor := 'due_timers';
  v_runs       uuid[] := p_settled_runs || p_order_runs || p_timer_runs;
begin
  if v_runs is not null then
    open due_runs no scroll for
      select r.run_id, r.namespace_id, r.version_id, r.revision, r.history_length, r.unsettled, r.live, r.block_ending, r.started_at,
             r.cancel_requested_at, r.cancel_reason, r.submitted_at, r.deadline_at, r.trigger, r.labels, r.parent_run_id, r.root_run_id,
             r.depth, r.lineage, r.callees, r.is_begun
        from skein.run r
       where r.run_id = any (v_runs);
  end if;
  if p_settled_runs is not null then
    open due_outcomes no scroll for
      select t.run_id, t.path, t.fence, t.session_id, t.outcome::text, t.output, t.failure, t.claimed_at, t.settled_at, t.attempt,
             t.losses, t.retry_state, t.step_started_at, t.is_unwanted
        from unnest(p_settled_runs, p_settled_paths) as g (run_id, path)
             cross join lateral (select * from skein.task k where k.run_id = g.run_id and k.path = g.path offset 0) as t
       where t.state = 'settled'
       order by t.fence;
  end if;
  if p_order_runs is not null then
    open due_orders no scroll for
      select i.run_id, i.inbox_id, i.kind, i.path, i.body, i.child_run_id, e.status::text, e.output, e.failure, e.parent_attempt,
             i.event_id, v.name, v.key, v.data, v.actor, v.at
        from unnest(p_order_ids) as g (inbox_id)
             cross join lateral (select * from skein.inbox k where k.inbox_id = g.inbox_id offset 0) as i
             left join lateral (select * from skein.ended_run k where k.run_id = i.child_run_id offset 0) as e on i.kind = 'child'
             left join lateral (select * from skein.event k where k.event_id = i.event_id offset 0) as v on i.kind = 'event'
       order by i.inbox_id;
  end if;
  if p_timer_runs is not null then
    open due_timers no scroll for
      select t.run_id, t.path, t.kind
        from unnest(p_timer_runs, p_timer_paths, p_timer_kinds) as g (run_id, path, kind)
             cross join lateral (
               select * from skein.timer k where k.run_id = g.run_id and k.path = g.path and k.kind = g.kind offset 0) as t
       where t.due_at <= skein.now()
       order by t.due_at;
  end if;
  return query
    select coalesce(cardinality(v_runs), 0), coalesce(cardinality(p_settled_runs), 0), coalesce(cardinality(p_order_runs), 0),
           coalesce(cardinality(p_timer_runs), 0), skein.now();
end
$$;
