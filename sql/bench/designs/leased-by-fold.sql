-- A design that was not built, on the tables and the fold of the protocol as built (product.sql and protocol.sql, loaded before): the fold leases the
-- next step to the worker that settled the one before it, so that a sequence claims nothing. What a worker holds is only what folds hand
-- it; how it would learn of that, and keep a slot free for it, is not in here.

-- Moves the next step into the task's row, leased already.
create or replace function fold_lease(p_session bigint, p_limit integer, out n integer, out runs uuid[], out paths text[], out fences bigint[])
language plpgsql set plan_cache_mode = force_generic_plan set jit = off set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off
set enable_mergejoin = off set enable_material = off as $$
declare
  d     record;
  base  bigint := timeline()::bigint << 40;
  fresh integer;
begin
  d := fold_pick(p_limit);
  insert into step (run_id, path, seq, namespace_id, step_index, status, attempt, losses, session_id, fence, started_at, claimed_at, finished_at, input, output)
  select g.run_id, g.path, g.length + 1, 1, g.node, 'succeeded', g.attempt, 0, g.session_id, g.fence, g.claimed, null, g.settled, null, g.output
    from unnest(d.runs, d.lengths, d.paths, d.nodes, d.attempts, d.fences, d.sessions, d.claimed, d.settled, d.outputs)
      as g(run_id, length, path, node, attempt, fence, session_id, claimed, settled, output);
  with moved as (
    update task t
       set path = 's' || g.node + 2, queue_id = 1, priority = 0, state = 'leased', step_index = g.node + 1, attempt = 1, losses = 0, is_unwanted = false,
           ready_at = clock_timestamp(), step_started_at = null, session_id = p_session, fence = base + nextval('fence_sequence'),
           claimed_at = clock_timestamp(), settled_at = null, outcome = null, retry_state = null, input = '{}', output = null, failure = null, details = null
      from unnest(d.runs, d.paths, d.nodes) as g(run_id, path, node)
           cross join lateral (select k.ctid as place from task k where k.run_id = g.run_id and k.path = g.path offset 0) as k
     where t.ctid = k.place and g.node + 1 < last_step()
    returning t.run_id, t.path, t.fence)
  select count(*), coalesce(array_agg(m.run_id), '{}'), coalesce(array_agg(m.path), '{}'), coalesce(array_agg(m.fence), '{}')
    into n, runs, paths, fences from moved m;
  update run r set revision = r.revision + 1, is_begun = true, history_length = g.length + 1, unsettled = 1, live = 1, block_ending = null, started_at = g.begun
    from unnest(d.runs, d.lengths, d.begun, d.nodes) as g(run_id, length, begun, node)
         cross join lateral (select k.ctid as place from run k where k.run_id = g.run_id offset 0) as k
   where r.ctid = k.place and g.node + 1 < last_step();
  select count(*) into fresh from unnest(d.nodes) as g(node) where g.node + 1 = last_step();
  if fresh = 0 then return; end if;
  delete from task t
   using unnest(d.runs, d.paths, d.nodes) as g(run_id, path, node)
         cross join lateral (select k.ctid as place from task k where k.run_id = g.run_id and k.path = g.path offset 0) as k
   where t.ctid = k.place and g.node + 1 = last_step();
  with gone as (
    delete from run r
     using unnest(d.runs, d.lengths, d.begun, d.settled, d.outputs, d.nodes) as g(run_id, length, begun, settled, output, node)
           cross join lateral (select k.ctid as place from run k where k.run_id = g.run_id offset 0) as k
     where r.ctid = k.place and g.node + 1 = last_step()
    returning r.*, g.length, g.begun, g.settled, g.output)
  insert into ended_run (run_id, namespace_id, version_id, status, revision, history_length, submitted_at, started_at, ended_at, trigger, depth, input, output)
  select run_id, namespace_id, version_id, 'succeeded', revision + 1, length + 2, submitted_at, begun, settled, trigger, depth, input, output from gone;
  perform submit(fresh);
end $$;
