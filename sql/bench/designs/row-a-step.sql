-- Floor "row-a-step": one task row a step. The worker's settle deletes the task, writes history, advances the run and inserts the
-- next task, in one statement. A floor, not a protocol: no decision can be made in it. psql variables: ready_predicate ("session_id is null and not held": claims are not HOT;
-- "not held": claims are HOT and walk over leased rows), fillfactor.
create table task (
  task_id    bigint      generated always as identity primary key,
  queue_id   integer     not null,
  priority   smallint    not null default 0,
  ready_at   timestamptz not null,
  held       boolean     not null default false,
  run_id     uuid        not null,
  path       text        not null,
  seq        integer     not null,
  attempt    integer     not null default 1,
  losses     integer     not null default 0,
  session_id bigint,
  fence      bigint,
  claimed_at timestamptz
) with (fillfactor = :fillfactor, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);
create index task_ready on task (queue_id, priority, ready_at, task_id) where :ready_predicate;

create function claim(p_session bigint, p_queue integer, p_limit integer, out n integer, out tasks bigint[], out fences bigint[])
language plpgsql as $$
begin
  with picked as (
    select t.task_id from task t
     where t.queue_id = p_queue and not t.held and t.session_id is null
     order by t.priority, t.ready_at, t.task_id
     limit p_limit for update skip locked),
  claimed as (
    update task t
       set session_id = p_session, claimed_at = clock_timestamp(),
           fence = ((select timeline()) << 40) + nextval('fence_sequence')
     where t.task_id = any (array(select task_id from picked))
       and exists (select from session s where s.session_id = p_session and s.alive_until > clock_timestamp())
    returning t.task_id, t.fence)
  select count(*), coalesce(array_agg(c.task_id), '{}'), coalesce(array_agg(c.fence), '{}') into n, tasks, fences from claimed c;
end $$;

create function settle(p_session bigint, p_tasks bigint[], p_fences bigint[], p_outputs text[]) returns bigint
language plpgsql as $$
declare kept bigint;
begin
  with given as (select * from unnest(p_tasks, p_fences, p_outputs) as g(task_id, fence, output)),
  held as (
    select t.task_id, t.run_id, t.path, t.seq, t.attempt, t.fence, t.session_id, t.claimed_at, g.output
      from task t join given g using (task_id) where t.fence = g.fence and t.session_id = p_session),
  locked as (
    select r.run_id, r.revision from run r where r.run_id = any (array(select run_id from held)) order by r.run_id for update),
  gone as (
    delete from task t using held h where t.task_id = h.task_id and t.fence = h.fence),
  next as (
    insert into task (queue_id, ready_at, run_id, path, seq)
    select 1, now(), run_id, 'main/step-' || seq + 1, seq + 1 from held join locked using (run_id)),
  advanced as (
    update run r set revision = l.revision + 1, steps = h.seq, updated_at = now()
      from locked l join held h using (run_id) where r.run_id = l.run_id),
  kept as (
    insert into history (run_id, path, seq, status, attempt, fence, session_id, started_at, finished_at, output)
    select run_id, path, seq, 1, attempt, fence, session_id, claimed_at, clock_timestamp(), output from held
    returning 1)
  select count(*) into kept from kept;
  return kept;
end $$;

create function seed() returns void language sql as $$
  insert into task (queue_id, ready_at, run_id, path, seq) select 1, clock_timestamp(), run_id, 'main/step-1', 1 from run order by run_id;
$$;
-- What a busy cluster has: p_leased calls under way and p_ready / 2 held tasks in front of the claims, and the other half of p_ready behind them.
-- What is behind is in queue 2, the next keys of the same index, so that the workers of queue 1 walk the same pages and never take it.
create function seed_backlog(p_leased integer, p_ready integer) returns void language sql as $$
  insert into task (queue_id, ready_at, run_id, path, seq, session_id, fence, claimed_at)
  select 1, clock_timestamp() - interval '2 days', gen_random_uuid(), 'main/step-1', 1, 64, nextval('fence_sequence'), clock_timestamp() from generate_series(1, p_leased);
  insert into task (queue_id, ready_at, run_id, path, seq, held)
  select 1, clock_timestamp() - interval '1 day', gen_random_uuid(), 'main/step-1', 1, true from generate_series(1, p_ready / 2);
  insert into task (queue_id, ready_at, run_id, path, seq)
  select 2, clock_timestamp(), gen_random_uuid(), 'main/step-1', 1 from generate_series(1, p_ready - p_ready / 2);
$$;
