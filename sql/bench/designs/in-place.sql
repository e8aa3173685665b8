-- Floor "in-place": the run's row is its own task and is moved on by HOT updates; a step's result is appended to the history.
-- One step a run at a time, nothing to decide, and the claim walks over leased rows: a floor, not a protocol.
create table active (
  active_id  bigint      generated always as identity primary key,
  queue_id   integer     not null,
  held       boolean     not null default false,
  run_id     uuid        not null,
  path       text        not null,
  seq        integer     not null,
  attempt    integer     not null default 1,
  revision   bigint      not null default 0,
  updated_at timestamptz not null default now(),
  session_id bigint,
  fence      bigint,
  claimed_at timestamptz
) with (fillfactor = :fillfactor, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);
create index active_ready on active (queue_id, active_id) where not held;

create function claim(p_session bigint, p_queue integer, p_limit integer, out n integer, out tasks bigint[], out fences bigint[])
language plpgsql as $$
begin
  with picked as (
    select a.active_id from active a
     where a.queue_id = p_queue and not a.held and a.session_id is null
     order by a.active_id
     limit p_limit for update skip locked),
  claimed as (
    update active a
       set session_id = p_session, claimed_at = clock_timestamp(), fence = ((select timeline()) << 40) + nextval('fence_sequence')
     where a.active_id = any (array(select active_id from picked))
    returning a.active_id, a.fence)
  select count(*), coalesce(array_agg(c.active_id), '{}'), coalesce(array_agg(c.fence), '{}') into n, tasks, fences from claimed c;
end $$;

create function settle(p_session bigint, p_tasks bigint[], p_fences bigint[], p_outputs text[]) returns bigint
language plpgsql as $$
declare kept bigint;
begin
  with given as (select * from unnest(p_tasks, p_fences, p_outputs) as g(active_id, fence, output)),
  held as (
    select a.active_id, a.run_id, a.path, a.seq, a.attempt, a.fence, a.session_id, a.claimed_at, g.output
      from active a join given g using (active_id) where a.fence = g.fence and a.session_id = p_session),
  moved as (
    update active a set session_id = null, fence = null, claimed_at = null, path = 'main/step-' || g.seq + 1, seq = g.seq + 1,
           revision = a.revision + 1, updated_at = now()
      from held g where a.active_id = g.active_id and a.fence = g.fence),
  kept as (
    insert into history (run_id, path, seq, status, attempt, fence, session_id, started_at, finished_at, output)
    select run_id, path, seq, 1, attempt, fence, session_id, claimed_at, clock_timestamp(), output from held
    returning 1)
  select count(*) into kept from kept;
  return kept;
end $$;

create function seed() returns void language sql as $$
  insert into active (queue_id, run_id, path, seq) select 1, run_id, 'main/step-1', 1 from run order by run_id;
$$;
