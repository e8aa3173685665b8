-- What the checks of sql/checks look at: everything, or in the coordinator's probe a part of the runs.

-- Whether a run is among those that are checked: all, unless skein.checked_from and skein.checked_to (ids, both included) are set. In SQL
-- and without settings of its own, so that it becomes a condition on the index of the runs' ids.
create or replace function skein.is_checked_v1(p_run_id uuid) returns boolean
language sql stable parallel safe as $$
  select p_run_id >= coalesce(nullif(current_setting('skein.checked_from', true), ''), '00000000-0000-0000-0000-000000000000')::uuid
     and p_run_id <= coalesce(nullif(current_setting('skein.checked_to', true), ''), 'ffffffff-ffff-ffff-ffff-ffffffffffff')::uuid
$$;

-- How much of a table is looked at whose rows are not found by a run's id, in percent: all, unless skein.checked_rows says how many rows.
create or replace function skein.checked_percent_v1(p_table regclass) returns real
language sql stable parallel safe as $$
  select coalesce(least(100, 100 * nullif(current_setting('skein.checked_rows', true), '')::real
                             / greatest((select c.reltuples from pg_catalog.pg_class c where c.oid = p_table), 1)), 100)::real
$$;

-- The last of the p_count runs, live and ended, from p_from on; null when there are not so many.
create or replace function skein.checked_runs_v1(p_from uuid, p_count integer) returns uuid
language sql stable as $$
  select run_id
    from ((select run_id from skein.run where run_id >= p_from order by run_id limit p_count)
          union all
          (select run_id from skein.ended_run where run_id >= p_from order by run_id limit p_count)) as runs
   order by run_id offset p_count - 1 limit 1
$$;

-- The first of the p_count newest runs, live and ended; null when there are not so many.
create or replace function skein.newest_runs_v1(p_count integer) returns uuid
language sql stable as $$
  select run_id
    from ((select run_id from skein.run order by run_id desc limit p_count)
          union all
          (select run_id from skein.ended_run order by run_id desc limit p_count)) as runs
   order by run_id desc offset p_count - 1 limit 1
$$;
