-- Low-water marks: where looks begin when much that is dead lies in front (table skein.low_water).
--
-- A claim takes the oldest ready tasks, so it begins where the oldest lie in the index; and there lies what was taken before, too, until
-- it can be tidied up. While a snapshot is held it cannot be: after a minute at full speed each claim stepped over a million dead entries, and
-- throughput was a fifth. A look that was slow leaves a mark for those after it.

-- How far behind the clock a mark stays: what is stamped and committed within this time cannot come to lie below it.
create or replace function skein.low_water_lag_v1() returns interval
language sql immutable parallel safe as $$ select interval '100 milliseconds' $$;

-- Raises the mark of a queue's ready tasks, after a look that took long. Answers nothing, waits for nobody.
create or replace function skein.raise_ready_mark_v1(p_queue_id integer) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan set jit = off
set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off as $$
declare
  v_begun    timestamptz := clock_timestamp();
  v_priority smallint;
  v_since    timestamptz;
  v_first    timestamptz;
  v_level    smallint;
begin
  if not pg_try_advisory_xact_lock(x'0A07'::integer, p_queue_id) then
    return;
  end if;
  select w.priority, w.since into v_priority, v_since from skein.low_water w
   where w.kind = 'ready' and w.queue_id = p_queue_id and v_begun between w.since and w.valid_until
   order by w.number desc limit 1;
  if v_since is null then
    select t.priority, t.ready_at into v_level, v_first from skein.task t
     where t.queue_id = p_queue_id and t.state = 'ready' and not t.held
     order by t.priority desc, t.ready_at limit 1;
  else
    v_level := v_priority;
    select t.ready_at into v_first from skein.task t
     where t.queue_id = p_queue_id and t.state = 'ready' and not t.held and t.priority = v_priority and t.ready_at >= v_since
     order by t.ready_at limit 1;
  end if;
  perform skein.put_low_water_v1(
    'ready', p_queue_id, coalesce(v_level, v_priority, 0::smallint), least(v_first, v_begun - skein.low_water_lag_v1()),
    v_since is null, clock_timestamp() - v_begun);
end
$$;

-- Raises the mark of what has settled, after a look that took long.
create or replace function skein.raise_settled_mark_v1() returns void
language plpgsql as $$
declare
  v_begun timestamptz := clock_timestamp();
  v_since timestamptz;
  v_first timestamptz;
begin
  if not pg_try_advisory_xact_lock(x'0A07'::integer, 0) then
    return;
  end if;
  v_since := skein.settled_mark_v1();
  select t.settled_at into v_first
    from skein.task t
         cross join lateral (
           select from skein.run k
            where k.run_id = t.run_id and k.quarantined_at is null and k.paused_at is null offset 0) as r
   where t.state = 'settled' and not t.held and t.settled_at >= v_since
   order by t.settled_at limit 1;
  perform skein.put_low_water_v1(
    'settled', 0, 0::smallint, least(v_first, v_begun - skein.low_water_lag_v1()), v_since = '-infinity', clock_timestamp() - v_begun);
end
$$;

-- Where a look at what has settled begins.
create or replace function skein.settled_mark_v1() returns timestamptz
language plpgsql stable as $$
declare
  v_since timestamptz;
begin
  select w.since into v_since from skein.low_water w
   where w.kind = 'settled' and w.queue_id = 0 and clock_timestamp() between w.since and w.valid_until
   order by w.number desc limit 1;
  return coalesce(v_since, '-infinity');
end
$$;

-- How long nobody need look at everything below a mark after a look that took so long: forty times that, and ten minutes at most, for what was
-- set free while somebody moved the mark waits for it.
create or replace function skein.until_look_v1(p_took interval) returns interval
language sql immutable parallel safe as $$ select least(greatest(interval '1 second', 40 * p_took), interval '10 minutes') $$;

-- How long a mark is believed when nobody looks below it though it is time: a look may take half an hour, and those of other marks come before it.
create or replace function skein.mark_validity_v1() returns interval
language sql immutable parallel safe as $$ select interval '35 minutes' $$;

-- Keeps a mark. One that was found by looking at everything need not be looked below for a while.
-- Waits for nobody: a claim holds tasks for which a cancel, that has forgotten the marks and is not at its end, may have to wait.
create or replace function skein.put_low_water_v1(
  p_kind text, p_queue_id integer, p_priority smallint, p_since timestamptz, p_looked_at_all boolean, p_took interval)
returns void
language plpgsql as $$
declare
  v_look_at timestamptz := clock_timestamp() + skein.until_look_v1(p_took);
  v_before  skein.low_water;
begin
  -- The newest: those before it are gone, though not out of the way, so nothing else is asked for.
  select * into v_before from skein.low_water w where w.kind = p_kind and w.queue_id = p_queue_id order by w.number desc limit 1;
  if found then
    perform from skein.low_water w
      where w.kind = p_kind and w.queue_id = p_queue_id and w.number = v_before.number for update skip locked;
    if not found then
      return;
    end if;
    delete from skein.low_water w where w.kind = p_kind and w.queue_id = p_queue_id and w.number = v_before.number
      returning w.look_at, w.valid_until into v_before.look_at, v_before.valid_until;
  end if;
  insert into skein.low_water (kind, queue_id, priority, since, look_at, valid_until)
  values (p_kind, p_queue_id, p_priority, p_since,
          case when p_looked_at_all or v_before.number is null then v_look_at else v_before.look_at end,
          case when p_looked_at_all or v_before.number is null then v_look_at + skein.mark_validity_v1() else v_before.valid_until end);
end
$$;

-- What waits first below a mark, from p_from on.
create or replace function skein.first_below_mark_v1(p_mark skein.low_water, p_from timestamptz) returns timestamptz
language plpgsql as $$
declare
  v_first timestamptz;
begin
  if p_mark.kind = 'ready' then
    select t.ready_at into v_first from skein.task t
     where t.queue_id = p_mark.queue_id and t.state = 'ready' and not t.held and t.priority = p_mark.priority
       and t.ready_at >= p_from and t.ready_at < p_mark.since
     order by t.ready_at limit 1;
  else
    select t.settled_at into v_first
      from skein.task t
           cross join lateral (
             select from skein.run k
              where k.run_id = t.run_id and k.quarantined_at is null and k.paused_at is null offset 0) as r
     where t.state = 'settled' and not t.held and t.settled_at >= p_from and t.settled_at < p_mark.since
     order by t.settled_at limit 1;
  end if;
  return v_first;
end
$$;

-- Looks below the mark whose time came first: what waits there pulls it down, and a mark below which there is little is not needed any more.
-- Answers whether there was one, 1 or 0. After an hour under a snapshot it takes minutes, so nothing is locked before it has seen what it wants,
-- and whoever calls it waits for so long. By one coordinator at a time.
create or replace function skein.look_below_marks_v1() returns integer
language plpgsql set plan_cache_mode = force_generic_plan set jit = off
set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off as $$
declare
  v_mark  skein.low_water;
  v_begun timestamptz := clock_timestamp();
  v_took  interval;
  v_first timestamptz;
begin
  if not pg_try_advisory_xact_lock(x'0A08'::integer, 0) then
    return 0;
  end if;
  select * into v_mark from skein.low_water where look_at <= v_begun order by look_at limit 1;
  if not found then
    return 0;
  end if;
  v_first := skein.first_below_mark_v1(v_mark, '-infinity');
  -- That was minutes ago perhaps, and what was seen has long been taken.
  if v_first is not null then
    v_first := skein.first_below_mark_v1(v_mark, v_first);
  end if;
  v_took := clock_timestamp() - v_begun;
  -- The mark may have moved meanwhile, which makes it another row: then once more.
  loop
    if v_first is null and v_took < interval '500 microseconds' then
      delete from skein.low_water where kind = v_mark.kind and queue_id = v_mark.queue_id;
    else
      update skein.low_water w
         set since = least(w.since, v_first), look_at = clock_timestamp() + skein.until_look_v1(v_took),
             valid_until = clock_timestamp() + skein.until_look_v1(v_took) + skein.mark_validity_v1()
       where w.kind = v_mark.kind and w.queue_id = v_mark.queue_id;
    end if;
    exit when found or not exists (select from skein.low_water where kind = v_mark.kind and queue_id = v_mark.queue_id);
  end loop;
  return 1;
end
$$;

-- Looks just below all marks, so far down: what was committed late, though not very late, waits there. Answers how many marks it pulled down; one
-- below which nothing waits is not touched, for it would leave a version of itself in everybody's way.
create or replace function skein.look_just_below_marks_v1(p_reach interval) returns integer
language plpgsql set plan_cache_mode = force_generic_plan set jit = off
set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off as $$
declare
  v_mark   skein.low_water;
  v_first  timestamptz;
  v_pulled integer := 0;
begin
  for v_mark in select * from skein.low_water order by kind, queue_id loop
    v_first := skein.first_below_mark_v1(v_mark, v_mark.since - p_reach);
    if v_first is not null then
      -- When it has moved meanwhile it is another row: that one is for the next look.
      update skein.low_water w set since = v_first where w.kind = v_mark.kind and w.queue_id = v_mark.queue_id and w.since > v_first;
      if found then
        v_pulled := v_pulled + 1;
      end if;
    end if;
  end loop;
  return v_pulled;
end
$$;

-- Forgets the marks: old tasks have been set free, and may lie below them. Marks that are changed at this moment are left to the next look.
create or replace function skein.forget_marks_v1() returns void
language sql as $$
  delete from skein.low_water
   where (kind, queue_id, number) in (select kind, queue_id, number from skein.low_water for update skip locked)
$$;
