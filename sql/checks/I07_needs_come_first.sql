-- I7: no step starts before what it needs is committed
-- proves: what a step needs has settled, comes before it in the history, and was done under an older lease; clocks are not asked
-- remedy: report it with the run's history_overview
with recursive block as (
  select version_id, '' as prefix, definition::jsonb as body from skein.workflow_version
  union all
  select b.version_id, b.prefix || (s.step ->> 'id') || '.', s.step -> 'do'
    from block b cross join lateral jsonb_array_elements(coalesce(b.body -> 'steps', b.body -> 'graph')) as s (step)
   where jsonb_typeof(s.step -> 'do') = 'object'),
need as (
  select b.version_id, b.prefix || (s.step ->> 'id') as path, b.prefix || n.id as needs
    from block b cross join lateral jsonb_array_elements(b.body -> 'graph') as s (step)
   cross join lateral jsonb_array_elements_text(s.step -> 'needs') as n (id)
  union all
  select b.version_id, b.prefix || (s.step ->> 'id'), b.prefix || (b.body -> 'steps' -> (s.place - 2)::integer ->> 'id')
    from block b cross join lateral jsonb_array_elements(b.body -> 'steps') with ordinality as s (step, place)
   where s.place > 1),
started as (
  select run_id, path, fence, seq from skein.step where status = 'succeeded' or fence is not null
  union all
  select run_id, path, fence, null from skein.task where fence is not null)
select s.run_id, s.path, n.needs, s.fence, d.fence as needs_fence
  from (select run_id, version_id from skein.run union all select run_id, version_id from skein.ended_run) r
  join need n using (version_id)
  join started s on s.run_id = r.run_id and s.path = n.path
  left join skein.step d on d.run_id = r.run_id and d.path = n.needs
 where d.run_id is null or d.seq > s.seq or d.fence > s.fence;
