-- W1, runs of a single step, on the tables of as-built.sql (load that first): the fold writes the step's history and the run's
-- ending, and takes the task and the run out of the live tables.
create table ended_run (
  run_id      uuid        primary key,
  workflow_id integer     not null,
  status      smallint    not null,
  steps       integer     not null,
  ended_at    timestamptz not null
);

create or replace function fold_write(p_runs uuid[], p_revisions bigint[], p_paths text[], p_seqs integer[], p_attempts integer[], p_fences bigint[],
  p_sessions bigint[], p_started timestamptz[], p_finished timestamptz[], p_outputs text[], p_next_paths text[]) returns void
language plpgsql set plan_cache_mode = force_generic_plan set jit = off set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off
set enable_mergejoin = off set enable_material = off as $$
begin
  delete from task t
   using unnest(p_runs, p_paths) as g(run_id, path)
         cross join lateral (select k.ctid as place from task k where k.run_id = g.run_id and k.path = g.path offset 0) as k
   where t.ctid = k.place;
  with gone as (
    delete from run r
     using unnest(p_runs) as g(run_id) cross join lateral (select k.ctid as place from run k where k.run_id = g.run_id offset 0) as k
     where r.ctid = k.place
    returning r.run_id, r.workflow_id)
  insert into ended_run (run_id, workflow_id, status, steps, ended_at) select run_id, workflow_id, 1, 1, now() from gone;
  insert into history (run_id, path, seq, status, attempt, fence, session_id, started_at, finished_at, output)
  select run_id, path, seq, 1, attempt, fence, session_id, started_at, finished_at, output
    from unnest(p_runs, p_paths, p_seqs, p_attempts, p_fences, p_sessions, p_started, p_finished, p_outputs)
      as g(run_id, path, seq, attempt, fence, session_id, started_at, finished_at, output);
end $$;

-- One commit of p_count submits, as submit.pgbench calls it.
create function submit(p_count integer) returns void language plpgsql as $$
declare millis bigint := extract(epoch from clock_timestamp()) * 1000;
begin
  with added as (
    insert into run (run_id, workflow_id, updated_at)
    select new_run_id(millis), 1, now() from generate_series(1, p_count)
    returning run_id)
  insert into task (queue_id, ready_at, run_id, path, seq) select 1, now(), run_id, 'main/step-1', 1 from added;
end $$;
