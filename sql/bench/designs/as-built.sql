-- Design "as-built": what Skein's own functions do, in bare SQL. A task is found by (run_id, path) and keeps its row from ready to
-- leased to settled; the outcome waits in it for the fold, which locks runs by their oldest settled tasks, reads these in a statement of
-- its own, and moves each row on to the next step. Every row is found by its key, whatever the planner believes of the table.
-- It follows sql/functions/claim.sql and fold.sql; when they change, so does this.
create table task (
  run_id     uuid        not null,
  path       text collate "C" not null,
  queue_id   integer     not null,
  priority   smallint    not null default 0,
  state      smallint    not null default 0,       -- 0 ready, 1 leased, 2 settled
  held       boolean     not null default false,
  seq        integer     not null,
  attempt    integer     not null default 1,
  losses     integer     not null default 0,
  ready_at   timestamptz not null,
  session_id bigint,
  fence      bigint,
  claimed_at timestamptz,
  settled_at timestamptz,
  status     smallint,
  output     text,
  primary key (run_id, path)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
create index task_ready on task (queue_id, priority desc, ready_at) where state = 0 and not held;
create index task_settled on task (settled_at) where state = 2;
alter table history alter path type text collate "C";
create index history_seq on history (run_id, seq);

create function claim(p_session bigint, p_queue integer, p_limit integer, out n integer, out runs uuid[], out paths text[], out fences bigint[])
language plpgsql set plan_cache_mode = force_generic_plan set jit = off set enable_seqscan = off set enable_bitmapscan = off
set enable_sort = off as $$
declare base bigint := timeline() << 40;
begin
  perform from session s where s.session_id = p_session and s.alive_until > clock_timestamp() for key share;
  if not found then raise exception 'session % is dead', p_session; end if;
  with picked as materialized (
    select t.ctid as place from task t
     where t.queue_id = p_queue and t.state = 0 and not t.held
     order by t.priority desc, t.ready_at
     limit p_limit for update skip locked),
  claimed as (
    update task t
       set state = 1, session_id = p_session, fence = base + nextval('fence_sequence'), claimed_at = clock_timestamp()
      from picked p
     where t.ctid = p.place
    returning t.run_id, t.path, t.fence)
  select count(*), coalesce(array_agg(c.run_id), '{}'), coalesce(array_agg(c.path), '{}'), coalesce(array_agg(c.fence), '{}')
    into n, runs, paths, fences from claimed c;
end $$;

create function settle(p_session bigint, p_runs uuid[], p_paths text[], p_fences bigint[], p_outputs text[]) returns bigint
language plpgsql set plan_cache_mode = force_generic_plan set jit = off set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off
set enable_mergejoin = off as $$
declare kept bigint;
begin
  update task t set state = 2, settled_at = clock_timestamp(), status = 1, output = g.output
    from unnest(p_runs, p_paths, p_fences, p_outputs) as g(run_id, path, fence, output)
         cross join lateral (
           select k.ctid as place from task k
            where k.run_id = g.run_id and k.path = g.path and k.fence = g.fence and k.session_id = p_session and k.state = 1
           offset 0) as k
   where t.ctid = k.place;
  get diagnostics kept = row_count;
  return kept;
end $$;

-- The runs are locked in one statement; the settled tasks are read in the next, which sees them as they are now that nobody else folds them.
create function fold_pick(p_limit integer, out n integer, out runs uuid[], out revisions bigint[], out paths text[], out seqs integer[],
  out attempts integer[], out fences bigint[], out sessions bigint[], out started timestamptz[], out finished timestamptz[], out outputs text[], out next_paths text[])
language plpgsql set plan_cache_mode = force_generic_plan set jit = off set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off
set enable_mergejoin = off set enable_material = off as $$
declare
  locked uuid[];
  places text[];
begin
  select array_agg(p.run_id), array_agg(p.path) into locked, places
    from (select r.run_id, t.path from task t join run r on r.run_id = t.run_id
           where t.state = 2 order by t.settled_at limit p_limit for update of r skip locked) p;
  select count(*), coalesce(array_agg(t.run_id), '{}'), coalesce(array_agg(r.revision), '{}'), coalesce(array_agg(t.path), '{}'),
         coalesce(array_agg(t.seq), '{}'), coalesce(array_agg(t.attempt), '{}'), coalesce(array_agg(t.fence), '{}'),
         coalesce(array_agg(t.session_id), '{}'), coalesce(array_agg(t.claimed_at), '{}'), coalesce(array_agg(t.settled_at), '{}'),
         coalesce(array_agg(t.output), '{}'), coalesce(array_agg('main/step-' || t.seq + 1), '{}')
    into n, runs, revisions, paths, seqs, attempts, fences, sessions, started, finished, outputs, next_paths
    from unnest(locked, places) as g(run_id, path)
         -- The state is asked for outside: within, it would let the planner take the index of settled tasks for each key.
         cross join lateral (select * from task k where k.run_id = g.run_id and k.path = g.path offset 0) as t
         cross join lateral (select k.revision from run k where k.run_id = g.run_id offset 0) as r
   where t.state = 2;
end $$;

create function fold_write(p_runs uuid[], p_revisions bigint[], p_paths text[], p_seqs integer[], p_attempts integer[], p_fences bigint[],
  p_sessions bigint[], p_started timestamptz[], p_finished timestamptz[], p_outputs text[], p_next_paths text[]) returns void
language plpgsql set plan_cache_mode = force_generic_plan set jit = off set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off
set enable_mergejoin = off set enable_material = off as $$
begin
  update run r set revision = g.revision + 1, steps = g.seq, updated_at = now()
    from unnest(p_runs, p_revisions, p_seqs) as g(run_id, revision, seq)
         cross join lateral (select k.ctid as place from run k where k.run_id = g.run_id offset 0) as k
   where r.ctid = k.place;
  insert into history (run_id, path, seq, status, attempt, fence, session_id, started_at, finished_at, output)
  select run_id, path, seq, 1, attempt, fence, session_id, started_at, finished_at, output
    from unnest(p_runs, p_paths, p_seqs, p_attempts, p_fences, p_sessions, p_started, p_finished, p_outputs)
      as g(run_id, path, seq, attempt, fence, session_id, started_at, finished_at, output);
  update task t set state = 0, settled_at = null, status = null, output = null, session_id = null, fence = null, claimed_at = null,
         ready_at = now(), path = g.next_path, seq = g.seq + 1, attempt = 1
    from unnest(p_runs, p_paths, p_next_paths, p_seqs) as g(run_id, path, next_path, seq)
         cross join lateral (select k.ctid as place from task k where k.run_id = g.run_id and k.path = g.path offset 0) as k
   where t.ctid = k.place;
end $$;

create function seed() returns void language sql as $$
  insert into task (queue_id, ready_at, run_id, path, seq) select 1, clock_timestamp(), run_id, 'main/step-1', 1 from run order by run_id;
$$;
-- What a busy cluster has: see inbox.sql.
create function seed_backlog(p_leased integer, p_ready integer) returns void language sql as $$
  insert into task (queue_id, ready_at, run_id, path, seq, state, session_id, fence, claimed_at)
  select 1, clock_timestamp() - interval '2 days', gen_random_uuid(), 'main/step-1', 1, 1, 64, nextval('fence_sequence'), clock_timestamp() from generate_series(1, p_leased);
  insert into task (queue_id, ready_at, run_id, path, seq, held)
  select 1, clock_timestamp() - interval '1 day', gen_random_uuid(), 'main/step-1', 1, true from generate_series(1, p_ready / 2);
  insert into task (queue_id, ready_at, run_id, path, seq)
  select 2, clock_timestamp(), gen_random_uuid(), 'main/step-1', 1 from generate_series(1, p_ready - p_ready / 2);
$$;
