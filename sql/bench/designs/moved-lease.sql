-- Design "moved-lease": a waiting task is a row of task, a claimed one a row of lease: the claim deletes from one and inserts
-- into the other. Settle deletes from lease and appends to the outcome inbox. One index a table, no row is ever updated. psql variables: ready_predicate ("session_id is null and not held": claims are not HOT;
-- "not held": claims are HOT and walk over leased rows), fillfactor.
create sequence task_sequence;
create table task (
  queue_id   integer     not null,
  held       boolean     not null default false,
  priority   smallint    not null default 0,
  ready_at   timestamptz not null,
  task_id    bigint      not null default nextval('task_sequence'),
  run_id     uuid        not null,
  path       text        not null,
  seq        integer     not null,
  attempt    integer     not null default 1,
  losses     integer     not null default 0,
  primary key (queue_id, held, priority, ready_at, task_id)
) with (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);

create table lease (
  session_id bigint      not null,
  fence      bigint      not null,
  queue_id   integer     not null,
  priority   smallint    not null,
  ready_at   timestamptz not null,
  task_id    bigint      not null,
  run_id     uuid        not null,
  path       text        not null,
  seq        integer     not null,
  attempt    integer     not null,
  losses     integer     not null,
  claimed_at timestamptz not null,
  primary key (session_id, fence)
) with (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);

create table outcome (
  outcome_id bigint      generated always as identity primary key,
  run_id     uuid        not null,
  path       text        not null,
  seq        integer     not null,
  attempt    integer     not null,
  fence      bigint      not null,
  session_id bigint      not null,
  started_at timestamptz not null,
  settled_at timestamptz not null,
  status     smallint    not null,
  output     text
) with (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);

create function claim(p_session bigint, p_queue integer, p_limit integer, out n integer, out tasks bigint[], out fences bigint[])
language plpgsql as $$
begin
  with picked as (
    select t.ctid from task t
     where t.queue_id = p_queue and not t.held
     order by t.priority, t.ready_at, t.task_id
     limit p_limit for update skip locked),
  taken as (
    delete from task t
     where t.ctid = any (array(select ctid from picked))
       and exists (select from session s where s.session_id = p_session and s.alive_until > clock_timestamp())
    returning *),
  claimed as (
    insert into lease (session_id, fence, queue_id, priority, ready_at, task_id, run_id, path, seq, attempt, losses, claimed_at)
    select p_session, ((select timeline()) << 40) + nextval('fence_sequence'), queue_id, priority, ready_at, task_id, run_id, path, seq, attempt, losses, clock_timestamp()
      from taken
    returning task_id, fence)
  select count(*), coalesce(array_agg(c.task_id), '{}'), coalesce(array_agg(c.fence), '{}') into n, tasks, fences from claimed c;
end $$;

create function settle(p_session bigint, p_tasks bigint[], p_fences bigint[], p_outputs text[]) returns bigint
language plpgsql as $$
declare kept bigint;
begin
  with given as (select * from unnest(p_fences, p_outputs) as g(fence, output)),
  settled as (
    delete from lease t using given g
     where t.session_id = p_session and t.fence = g.fence
    returning t.run_id, t.path, t.seq, t.attempt, t.fence, t.session_id, t.claimed_at, g.output),
  kept as (
    insert into outcome (run_id, path, seq, attempt, fence, session_id, started_at, settled_at, status, output)
    select run_id, path, seq, attempt, fence, session_id, claimed_at, clock_timestamp(), 1, output from settled
    returning 1)
  select count(*) into kept from kept;
  return kept;
end $$;

-- The outcomes to fold, with their runs locked. Runs that another folder holds are left, with their outcomes.
create function fold_pick(p_limit integer, out n integer, out ids bigint[], out runs uuid[], out revisions bigint[], out paths text[], out seqs integer[],
  out attempts integer[], out fences bigint[], out sessions bigint[], out started timestamptz[], out finished timestamptz[], out outputs text[], out next_paths text[])
language plpgsql as $$
begin
  with picked as (
    select * from outcome o order by o.outcome_id limit p_limit for update skip locked),
  locked as (
    select r.run_id, r.revision from run r
     where r.run_id = any (array(select run_id from picked)) order by r.run_id for update skip locked)
  select count(*), coalesce(array_agg(outcome_id), '{}'), coalesce(array_agg(run_id), '{}'), coalesce(array_agg(revision), '{}'), coalesce(array_agg(path), '{}'),
         coalesce(array_agg(seq), '{}'), coalesce(array_agg(attempt), '{}'), coalesce(array_agg(fence), '{}'), coalesce(array_agg(session_id), '{}'),
         coalesce(array_agg(started_at), '{}'), coalesce(array_agg(settled_at), '{}'), coalesce(array_agg(output), '{}'), coalesce(array_agg('main/step-' || seq + 1), '{}')
    into n, ids, runs, revisions, paths, seqs, attempts, fences, sessions, started, finished, outputs, next_paths
    from picked join locked using (run_id);
end $$;

create function fold_write(p_ids bigint[], p_runs uuid[], p_revisions bigint[], p_paths text[], p_seqs integer[], p_attempts integer[], p_fences bigint[],
  p_sessions bigint[], p_started timestamptz[], p_finished timestamptz[], p_outputs text[], p_next_paths text[]) returns void
language plpgsql as $$
begin
  delete from outcome where outcome_id = any (p_ids);
  update run r set revision = g.revision + 1, steps = g.seq, updated_at = now()
    from unnest(p_runs, p_revisions, p_seqs) as g(run_id, revision, seq)
   where r.run_id = g.run_id;
  insert into history (run_id, path, seq, status, attempt, fence, session_id, started_at, finished_at, output)
  select run_id, path, seq, 1, attempt, fence, session_id, started_at, finished_at, output
    from unnest(p_runs, p_paths, p_seqs, p_attempts, p_fences, p_sessions, p_started, p_finished, p_outputs)
      as g(run_id, path, seq, attempt, fence, session_id, started_at, finished_at, output);
  insert into task (queue_id, ready_at, run_id, path, seq)
  select 1, now(), run_id, path, seq + 1 from unnest(p_runs, p_next_paths, p_seqs) as g(run_id, path, seq);
end $$;

create function seed() returns void language sql as $$
  insert into task (queue_id, ready_at, run_id, path, seq) select 1, clock_timestamp(), run_id, 'main/step-1', 1 from run order by run_id;
$$;
-- What a busy cluster has: p_leased calls under way and p_ready / 2 held tasks in front of the claims, and the other half of p_ready behind them.
-- What is behind is in queue 2, the next keys of the same index, so that the workers of queue 1 walk the same pages and never take it.
create function seed_backlog(p_leased integer, p_ready integer) returns void language sql as $$
  insert into lease (queue_id, priority, ready_at, task_id, run_id, path, seq, attempt, losses, session_id, fence, claimed_at)
  select 1, 0, clock_timestamp() - interval '2 days', nextval('task_sequence'), gen_random_uuid(), 'main/step-1', 1, 1, 0, 64, nextval('fence_sequence'), clock_timestamp() from generate_series(1, p_leased);
  insert into task (queue_id, ready_at, run_id, path, seq, held)
  select 1, clock_timestamp() - interval '1 day', gen_random_uuid(), 'main/step-1', 1, true from generate_series(1, p_ready / 2);
  insert into task (queue_id, ready_at, run_id, path, seq)
  select 2, clock_timestamp(), gen_random_uuid(), 'main/step-1', 1 from generate_series(1, p_ready - p_ready / 2);
$$;
