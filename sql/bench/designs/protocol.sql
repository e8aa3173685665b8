-- The fold of the protocol as built, on the tables of product.sql (loaded before): it locks the runs of the oldest settled tasks, reads these
-- in a statement of its own, and writes what follows: the step's history; then the next step in the task's row and the run moved on, or
-- the run's ending and another run in its place. A run has :steps steps. Every row is found by its key, whatever the planner believes
-- of the table. It writes the rows that sql/functions/claim.sql, fold.sql and Sources/RunStore write; when they change, so does this.
\if :{?steps} \else \set steps 10 \endif
create function last_step() returns integer language sql immutable return :steps;

-- The runs are locked in one statement; the settled tasks are read in the next, which sees them as they are now that nobody else folds them.
create function fold_pick(p_limit integer, out n integer, out runs uuid[], out lengths integer[], out begun timestamptz[], out paths text[], out nodes integer[],
  out attempts integer[], out fences bigint[], out sessions bigint[], out claimed timestamptz[], out settled timestamptz[], out outputs text[])
language plpgsql set plan_cache_mode = force_generic_plan set jit = off set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off
set enable_mergejoin = off set enable_material = off as $$
declare
  locked uuid[];
  places text[];
begin
  select array_agg(p.run_id), array_agg(p.path) into locked, places
    from (select r.run_id, t.path from task t join run r on r.run_id = t.run_id
           where t.state = 'settled' and not t.held and r.quarantined_at is null and r.paused_at is null
           order by t.settled_at limit p_limit for update of r skip locked) p;
  select count(*), coalesce(array_agg(t.run_id), '{}'), coalesce(array_agg(r.history_length), '{}'), coalesce(array_agg(coalesce(r.started_at, t.claimed_at)), '{}'),
         coalesce(array_agg(t.path), '{}'), coalesce(array_agg(t.step_index), '{}'), coalesce(array_agg(t.attempt), '{}'), coalesce(array_agg(t.fence), '{}'),
         coalesce(array_agg(t.session_id), '{}'), coalesce(array_agg(t.claimed_at), '{}'), coalesce(array_agg(t.settled_at), '{}'),
         coalesce(array_agg(t.output), '{}')
    into n, runs, lengths, begun, paths, nodes, attempts, fences, sessions, claimed, settled, outputs
    from unnest(locked, places) as g(run_id, path)
         -- The state is asked for outside: within, it would let the planner take the index of settled tasks for each key.
         cross join lateral (select * from task k where k.run_id = g.run_id and k.path = g.path offset 0) as t
         cross join lateral (select k.history_length, k.started_at from run k where k.run_id = g.run_id offset 0) as r
   where t.state = 'settled';
end $$;

create function fold_write(p_runs uuid[], p_lengths integer[], p_begun timestamptz[], p_paths text[], p_nodes integer[], p_attempts integer[], p_fences bigint[],
  p_sessions bigint[], p_claimed timestamptz[], p_settled timestamptz[], p_outputs text[]) returns void
language plpgsql set plan_cache_mode = force_generic_plan set jit = off set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off
set enable_mergejoin = off set enable_material = off as $$
declare
  ends   uuid[];
  ending text[];
begin
  insert into step (run_id, path, seq, namespace_id, step_index, status, attempt, losses, session_id, fence, started_at, claimed_at, finished_at, input, output)
  select run_id, path, length + 1, 1, node, 'succeeded', attempt, 0, session_id, fence, claimed, null, settled, null, output
    from unnest(p_runs, p_lengths, p_paths, p_nodes, p_attempts, p_fences, p_sessions, p_claimed, p_settled, p_outputs)
      as g(run_id, length, path, node, attempt, fence, session_id, claimed, settled, output);
  select array_agg(run_id), array_agg(path) into ends, ending from unnest(p_runs, p_paths, p_nodes) as g(run_id, path, node) where node + 1 = last_step();

  update task t
     set path = 's' || g.node + 2, queue_id = 1, priority = 0, state = 'ready', step_index = g.node + 1, attempt = 1, losses = 0, is_unwanted = false,
         ready_at = clock_timestamp(), step_started_at = null, session_id = null, fence = null, claimed_at = null, settled_at = null, outcome = null,
         retry_state = null, input = '{}', output = null, failure = null, details = null
    from unnest(p_runs, p_paths, p_nodes) as g(run_id, path, node)
         cross join lateral (select k.ctid as place from task k where k.run_id = g.run_id and k.path = g.path offset 0) as k
   where t.ctid = k.place and g.node + 1 < last_step();
  update run r set revision = r.revision + 1, is_begun = true, history_length = g.length + 1, unsettled = 1, live = 1, block_ending = null, started_at = g.begun
    from unnest(p_runs, p_lengths, p_begun, p_nodes) as g(run_id, length, begun, node)
         cross join lateral (select k.ctid as place from run k where k.run_id = g.run_id offset 0) as k
   where r.ctid = k.place and g.node + 1 < last_step();

  if ends is null then return; end if;
  delete from task t
   using unnest(ends, ending) as g(run_id, path)
         cross join lateral (select k.ctid as place from task k where k.run_id = g.run_id and k.path = g.path offset 0) as k
   where t.ctid = k.place;
  with gone as (
    delete from run r
     using unnest(p_runs, p_lengths, p_begun, p_settled, p_outputs, p_nodes) as g(run_id, length, begun, settled, output, node)
           cross join lateral (select k.ctid as place from run k where k.run_id = g.run_id offset 0) as k
     where r.ctid = k.place and g.node + 1 = last_step()
    returning r.*, g.length, g.begun, g.settled, g.output)
  insert into ended_run (run_id, namespace_id, version_id, status, revision, history_length, submitted_at, started_at, ended_at, trigger, depth, input, output)
  select run_id, namespace_id, version_id, 'succeeded', revision + 1, length + 2, submitted_at, begun, settled, trigger, depth, input, output from gone;
  -- Runs of many steps are as many as before. Those of one step are drained.
  if last_step() > 1 then perform submit(cardinality(ends)); end if;
end $$;

-- Both in one call: an engine reads the rows and sends others back, in binary; pgbench would make text of each and read it again.
create function fold(p_limit integer) returns void language plpgsql set plan_cache_mode = force_generic_plan set jit = off as $$
declare d record;
begin
  d := fold_pick(p_limit);
  if d.n > 0 then
    perform fold_write(d.runs, d.lengths, d.begun, d.paths, d.nodes, d.attempts, d.fences, d.sessions, d.claimed, d.settled, d.outputs);
  end if;
end $$;

select submit(:runs);
