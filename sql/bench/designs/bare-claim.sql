-- The bare queue: claim, then delete. No runs, no history, no decisions: what a claim and a settle cost at the least.
-- psql variables: tasks (how many wait), ready_predicate, fillfactor. Needs common.sql before it.
\if :{?tasks} \else \set tasks 200000 \endif
create table task (
  task_id    bigint      generated always as identity primary key,
  queue_id   integer     not null,
  priority   smallint    not null default 0,
  ready_at   timestamptz not null,
  held       boolean     not null default false,
  session_id bigint,
  fence      bigint
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
       set session_id = p_session, fence = ((select timeline()) << 40) + nextval('fence_sequence')
     where t.task_id = any (array(select task_id from picked))
    returning t.task_id, t.fence)
  select count(*), coalesce(array_agg(c.task_id), '{}'), coalesce(array_agg(c.fence), '{}') into n, tasks, fences from claimed c;
end $$;

create function settle(p_session bigint, p_tasks bigint[], p_fences bigint[], p_outputs text[]) returns bigint
language plpgsql as $$
declare kept bigint;
begin
  with given as (select * from unnest(p_tasks, p_fences) as g(task_id, fence)),
  settled as (
    delete from task t using given g
     where t.task_id = g.task_id and t.fence = g.fence and t.session_id = p_session
    returning 1)
  select count(*) into kept from settled;
  return kept;
end $$;

create function seed() returns void language plpgsql as $$ begin end $$;
insert into task (queue_id, ready_at) select 1, clock_timestamp() from generate_series(1, :tasks);
-- What a busy cluster has: see inbox.sql. The tasks that are counted come after the leased and the held ones, before the other half.
create function seed_backlog(p_leased integer, p_ready integer) returns void language sql as $$
  insert into task (queue_id, ready_at, session_id, fence) select 1, clock_timestamp() - interval '2 days', 64, nextval('fence_sequence') from generate_series(1, p_leased);
  insert into task (queue_id, ready_at, held) select 1, clock_timestamp() - interval '1 day', true from generate_series(1, p_ready / 2);
  insert into task (queue_id, ready_at) select 2, clock_timestamp() from generate_series(1, p_ready - p_ready / 2);
$$;
create table seeded as select :tasks::bigint as tasks;
create or replace function progress() returns bigint language sql stable as $$
  select (select tasks from seeded) - count(*) from task where queue_id = 1 and not held and session_id is distinct from 64
$$;
