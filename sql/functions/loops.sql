-- The results of loops: put together from the iterations' rows when somebody reads them, so that no coordinator holds them.

-- The output of a loop whose iterations were collected: a list aligned with its collection, null where an iteration did not succeed.
-- p_collected says how: {"count": 100000, "collect": "list" | "last" | "none"}.
create or replace function skein.collected_output_v1(p_run_id uuid, p_path text, p_collected text) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off set jit = off as $$
declare
  v_count integer := (p_collected::json ->> 'count')::integer;
begin
  if p_collected is null then
    return null;
  end if;
  case p_collected::json ->> 'collect'
    when 'none' then
      return 'null';
    when 'last' then
      return coalesce((
        select coalesce(s.collected_output, s.output, 'null')
          from generate_series(v_count - 1, 0, -1) as g (place)
         cross join lateral (
           select k.output, case when k.collected is not null then skein.collected_output_v1(k.run_id, k.path, k.collected) end as collected_output
             from skein.step k
            where k.run_id = p_run_id and k.path = (p_path || '[' || g.place || ']') collate "C" and k.status = 'succeeded' offset 0) as s
         limit 1), 'null');
    else
      return '[' || coalesce((
        select string_agg(coalesce(s.output, 'null'), ',' order by g.place)
          from generate_series(0, v_count - 1) as g (place)
          left join lateral (
            select case when k.collected is null then k.output
                        else skein.collected_output_v1(k.run_id, k.path, k.collected) end as output
              from skein.step k
             where k.run_id = p_run_id and k.path = (p_path || '[' || g.place || ']') collate "C" and k.status = 'succeeded' offset 0) as s
            on true), '') || ']';
  end case;
end
$$;

-- What an expression reads of a loop that has settled: its output, the outputs of the iterations that succeeded, and what failed with
-- which item.
create or replace function skein.loop_results_v1(p_run_id uuid, p_path text, out output text, out ok text, out failed text)
language plpgsql stable as $$
declare
  v_collected text;
  v_output    text;
  v_count     integer;
begin
  select s.collected, s.output into v_collected, v_output
    from skein.step s where s.run_id = p_run_id and s.path = p_path collate "C";
  output := coalesce(skein.collected_output_v1(p_run_id, p_path, v_collected), v_output, 'null');
  v_count := (v_collected::json ->> 'count')::integer;
  -- Of a loop whose failure was caught, the output is what its catch block made of it, and its iterations are there all the same.
  if coalesce(v_count, 0) = 0 then
    select max(split_part(substr(s.path, length(p_path) + 2), ']', 1)::integer) + 1 into v_count
      from skein.step s
     where s.run_id = p_run_id and s.path > (p_path || '[') collate "C" and s.path < (p_path || E'\\') collate "C";
  end if;
  if v_count is null then
    ok := '[]';
    failed := '[]';
    return;
  end if;
  select '[' || coalesce(string_agg(
           coalesce(case when k.collected is null then k.output else skein.collected_output_v1(k.run_id, k.path, k.collected) end, 'null'),
           ',' order by g.place) filter (where k.status = 'succeeded'), '') || ']',
         '[' || coalesce(string_agg(
           '{"index":' || g.place || ',"item":' || coalesce(skein.loop_item_v1(p_run_id, p_path, g.place), 'null')
           || ',"error":' || coalesce(k.failure, 'null') || '}',
           ',' order by g.place) filter (where k.status = 'failed'), '') || ']'
    into ok, failed
    from generate_series(0, v_count - 1) as g (place)
   cross join lateral (
     select * from skein.step s
      where s.run_id = p_run_id and s.path = (p_path || '[' || g.place || ']') collate "C" offset 0) as k;
end
$$;

-- What an iteration of a loop is for, as JSON: an item of its collection, or a batch of them. Null when there is none.
create or replace function skein.loop_item_v1(p_run_id uuid, p_path text, p_place integer) returns text
language sql stable as $$
  select (s.items::json -> (p_place % 256))::text
    from skein.loop_slice s
   where s.run_id = p_run_id and s.path = p_path collate "C" and s.slice = p_place / 256
$$;
