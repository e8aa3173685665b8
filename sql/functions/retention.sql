-- Retention: history goes by whole weeks, as dropped partitions, once all that is in them is older than somebody wants to keep.

-- The week that a run's history belongs in, as the names of the partitions end: 2026w48.
create or replace function skein.history_week_v1(p_run_id uuid) returns text
language sql stable parallel safe as $$
  select to_char(to_timestamp(('x' || left(replace(p_run_id::text, '-', ''), 12))::bit(48)::bigint / 1000.0) at time zone 'UTC',
                 'IYYY"w"IW')
$$;

-- Makes the partitions of this week and the p_weeks_ahead next ones, in a cluster at work, and answers how many; 0 also when it would have had to wait
-- for long. A new partition locks its parent, and four parents in one transaction are locked in another order than runs write them: so whoever
-- writes wins, and the weeks are made another time.
create or replace function skein.prepare_weeks_v1(p_weeks_ahead integer) returns integer
language plpgsql security definer set search_path = pg_catalog, pg_temp set lock_timeout = '500ms' as $$
begin
  return skein.ensure_partitions_v1(p_weeks_ahead);
exception
  when lock_not_available then
    return 0;
end
$$;

-- Drops the oldest week of history whose end is older than p_keep, and answers with its name; null when there is none. A week stays as long
-- as a run of it lives, or has ended within p_keep: runs are filed under the week of their submission. Who reads the history at this
-- moment is not waited for: the week is dropped another time.
create or replace function skein.drop_history_week_v1(p_keep interval) returns text
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_bound  timestamptz := skein.now() - p_keep;
  v_week   text;
  v_begins timestamptz;
  v_ends   timestamptz;
  v_is_new boolean;
begin
  -- The lock under which partitions are made.
  if p_keep <= interval '0' or not pg_try_advisory_xact_lock(x'0A03'::integer, 0) then
    return null;
  end if;
  for v_week in
    select right(c.relname, 7)
      from pg_inherits i join pg_class c on c.oid = i.inhrelid
     where i.inhparent = 'skein.ended_run'::regclass and c.relname ~ '^ended_run_\d{4}w\d{2}$'
     order by 1
  loop
    v_begins := to_date(v_week, 'IYYY"w"IW')::timestamp at time zone 'UTC';
    v_ends   := v_begins + interval '7 days';
    exit when v_ends > v_bound;
    continue when exists (
      select from skein.run where run_id >= skein.first_run_id(v_begins) and run_id < skein.first_run_id(v_ends));
    execute format('select exists (select from skein.%I where ended_at > $1)', 'ended_run_' || v_week) into v_is_new using v_bound;
    continue when v_is_new;
    begin
      -- Shorter than the server waits before it looks for deadlocks: whoever holds two of these tables in another order wins.
      perform set_config('lock_timeout', '500ms', true);
      execute format('drop table if exists skein.%I, skein.%I, skein.%I, skein.%I',
                     'ended_run_' || v_week, 'step_' || v_week, 'attempt_' || v_week, 'run_event_' || v_week);
      return v_week;
    exception
      when lock_not_available then null;
    end;
  end loop;
  return null;
end
$$;

-- Removes up to p_limit ended runs, older than p_keep, that were filed in no week because there was no partition for it at the time.
-- Answers how many.
create or replace function skein.remove_unfiled_history_v1(p_keep interval, p_limit integer) returns integer
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_bound timestamptz := skein.now() - p_keep;
  v_runs  uuid[];
begin
  if p_keep <= interval '0' then
    return 0;
  end if;
  select array_agg(run_id) into v_runs
    from (select run_id from skein.ended_run_default where ended_at <= v_bound order by run_id limit p_limit for update skip locked) as old;
  if v_runs is null then
    return 0;
  end if;
  delete from skein.step_default where run_id = any (v_runs);
  delete from skein.attempt_default where run_id = any (v_runs);
  delete from skein.run_event_default where run_id = any (v_runs);
  delete from skein.dead_letter where run_id = any (v_runs);
  delete from skein.ended_run_default where run_id = any (v_runs);
  return cardinality(v_runs);
end
$$;

-- Removes up to p_limit worker sessions that were dead and reaped before p_keep. Answers how many.
create or replace function skein.remove_dead_sessions_v1(p_keep interval, p_limit integer) returns integer
language plpgsql as $$
declare
  v_removed integer;
begin
  if p_keep <= interval '0' then
    return 0;
  end if;
  delete from skein.worker_session where session_id in (
    select session_id from skein.worker_session
     where reaped_at is not null and dead_at < skein.now() - p_keep
     order by session_id limit p_limit for update skip locked);
  get diagnostics v_removed = row_count;
  return v_removed;
end
$$;

-- Removes up to p_limit rows of each kind that belong to runs that are over: slices of collections, sizes of trees, orders that came too
-- late. Answers how many.
create or replace function skein.remove_leftovers_v1(p_limit integer) returns integer
language plpgsql as $$
declare
  v_removed integer;
  v_all     integer := 0;
begin
  delete from skein.loop_slice where (run_id, path, slice) in (
    select s.run_id, s.path, s.slice from skein.loop_slice s
     where not exists (select from skein.run r where r.run_id = s.run_id) limit p_limit for update skip locked);
  get diagnostics v_removed = row_count;
  v_all := v_all + v_removed;
  delete from skein.run_tree where root_run_id in (
    select t.root_run_id from skein.run_tree t
     where not exists (select from skein.run r where r.run_id = t.root_run_id) limit p_limit for update skip locked);
  get diagnostics v_removed = row_count;
  v_all := v_all + v_removed;
  delete from skein.inbox where inbox_id in (
    select i.inbox_id from skein.inbox i
     where exists (select from skein.ended_run e where e.run_id = i.run_id) limit p_limit for update skip locked);
  get diagnostics v_removed = row_count;
  return v_all + v_removed;
end
$$;
