-- Skein's tables. Hot ones hold only what is alive (run, task, live_step, timer, inbox); what has ended is appended to
-- partitioned history (ended_run, step, attempt, run_event) in the transaction that ends it.
-- breaking: yes

create type skein.task_state as enum ('ready', 'leased', 'settled', 'waiting');
create type skein.attempt_status as enum ('succeeded', 'failed', 'timed_out', 'lost', 'released', 'cancelled');
create type skein.step_status as enum ('succeeded', 'failed', 'skipped', 'cancelled');
create type skein.ending as enum ('succeeded', 'failed', 'timed_out', 'cancelled');

-- The engine's clock for timers and schedules. A test database may fake it (skein.fake_now); leases use clock_timestamp().
-- In PL/pgSQL, whose plans are kept: SQL that is stable and calls something volatile is planned again at each call (50 us).
create function skein.now() returns timestamptz
language plpgsql stable parallel safe as $$
begin
  return coalesce(nullif(current_setting('skein.fake_now', true), '')::timestamptz, clock_timestamp());
end
$$;

-- Tenants ---------------------------------------------------------------------------------------------------------------

create table skein.namespace (
  namespace_id integer generated always as identity primary key,
  name         text not null unique check (name ~ '^[a-z][a-z0-9-]{0,62}$'),
  created_at   timestamptz not null default clock_timestamp()
);
insert into skein.namespace (name) values ('default');

create table skein.api_key (
  key_id       bigint generated always as identity primary key,
  namespace_id integer not null references skein.namespace,
  name         text not null,
  key_hash     bytea not null unique,              -- SHA-256 of the key; the key itself is shown once and stored nowhere
  scopes       text[] not null default '{read,write}',
  created_at   timestamptz not null default clock_timestamp(),
  expires_at   timestamptz,
  revoked_at   timestamptz,
  unique (namespace_id, name)
);

create table skein.queue (
  queue_id     integer generated always as identity primary key,
  namespace_id integer not null references skein.namespace,
  name         text not null check (name ~ '^[a-z][a-z0-9_.-]{0,62}$'),
  created_at   timestamptz not null default clock_timestamp(),
  unique (namespace_id, name)
);
insert into skein.queue (namespace_id, name) select namespace_id, 'default' from skein.namespace;

-- Definitions -----------------------------------------------------------------------------------------------------------

create table skein.workflow (
  namespace_id    integer not null references skein.namespace,
  name            text not null,
  live_version_id bigint,                          -- what new runs get
  created_at      timestamptz not null default clock_timestamp(),
  primary key (namespace_id, name)
);

-- Immutable. The same content is the same version.
create table skein.workflow_version (
  version_id   bigint generated always as identity primary key,
  namespace_id integer not null,
  name         text not null,
  version      integer not null,
  content_hash text not null,                      -- SHA-256 of the canonical JSON of the definition
  definition   text not null,                      -- the normal form, JSON
  source       text not null,                      -- the file as it was sent
  callees      text[] not null default '{}',       -- the workflows that its steps run
  created_at   timestamptz not null default clock_timestamp(),
  unique (namespace_id, name, version),
  unique (namespace_id, name, content_hash),
  foreign key (namespace_id, name) references skein.workflow
);

-- The steps of a version, numbered as the engine numbers them; what a worker needs to know of one is its `call`.
create table skein.version_step (
  version_id   bigint not null references skein.workflow_version,
  step_index   integer not null,
  namespace_id integer not null,
  path         text not null,
  verb         text not null,
  call         text,                               -- JSON: agent and time-out; only for steps that run on a worker
  needs        text[] not null default '{}',       -- the ids of the steps of its block that must have settled before it starts
  primary key (version_id, step_index)
);

-- Runs ------------------------------------------------------------------------------------------------------------------

-- Live runs. One folder at a time works on a run: it holds this row's lock.
create table skein.run (
  run_id            uuid primary key,              -- UUIDv7
  namespace_id      integer not null,
  version_id        bigint not null,
  revision          bigint not null default 0,     -- plus one with each fold
  history_length    integer not null default 1,    -- the highest seq in the run's history
  is_begun          boolean not null default true, -- false: an application inserted it, and no coordinator has started it yet
  unsettled         integer not null default 0,    -- the root block: steps not settled yet (graph)
  live              integer not null default 0,    -- the root block: steps started and not settled
  block_ending      text,                          -- the root block: why it no longer starts steps (JSON)
  started_at        timestamptz,                   -- when the first attempt began
  cancel_requested_at timestamptz,
  cancel_reason     text,
  quarantined_at    timestamptz,                   -- the fold of this run failed; an operator has to look
  quarantine_reason text,
  paused_at         timestamptz,                   -- nothing of it is folded and nothing starts until it is resumed
  paused_by         uuid,                          -- the run whose pause this is: itself, or one above it
  pause_reason      text,
  submitted_at      timestamptz not null,
  deadline_at       timestamptz,
  trigger           text not null default 'api',
  parent_run_id     uuid,                          -- the run whose step started it
  parent_path       text collate "C",              -- that step
  parent_attempt    integer,                       -- which try of that step
  is_awaited        boolean not null default false, -- the step waits for its ending
  follows_parent    boolean not null default false, -- it is cancelled, paused and resumed with the run that started it
  source_run_id     uuid,                          -- the run after whose ending it was started
  root_run_id       uuid,                          -- the first run of its tree; null: itself
  depth             integer not null default 0,    -- how many runs are above it, sub-workflows and chains alike
  lineage           text,                          -- JSON: the workflows above it, the first one first
  callees           text,                          -- JSON: the versions of the workflows that its steps run, as they were at its submission
  labels            text,                          -- JSON object
  input             text not null                  -- JSON
) with (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
create index run_parent on skein.run (parent_run_id, parent_path) where parent_run_id is not null;
create index run_source on skein.run (source_run_id) where source_run_id is not null;

-- Runs that have ended. Appended once, never changed.
create table skein.ended_run (
  run_id         uuid not null,
  namespace_id   integer not null,
  version_id     bigint not null,
  status         skein.ending not null,
  revision       bigint not null,
  history_length integer not null,
  submitted_at   timestamptz not null,
  started_at     timestamptz,
  ended_at       timestamptz not null,
  trigger        text not null,
  parent_run_id  uuid,
  parent_path    text collate "C",
  parent_attempt integer,
  source_run_id  uuid,
  root_run_id    uuid,
  depth          integer not null default 0,
  cancel_reason  text,
  labels         text,
  input          text not null,
  output         text,
  failure        text,
  primary key (run_id)
) partition by range (run_id);
create index ended_run_parent on skein.ended_run (parent_run_id) where parent_run_id is not null;
create index ended_run_source on skein.ended_run (source_run_id) where source_run_id is not null;

-- Idempotency keys outlive their runs.
create table skein.run_key (
  namespace_id integer not null,
  key_hash     bytea not null,                     -- SHA-256 of the key
  request_hash bytea not null,                     -- SHA-256 of what was asked for
  run_id       uuid not null,
  expires_at   timestamptz not null,
  primary key (namespace_id, key_hash)
);
create index run_key_expiry on skein.run_key (expires_at);

-- The queue -------------------------------------------------------------------------------------------------------------

-- Live attempts. A task is ready (a worker may claim it), leased (one has), settled (its outcome waits for the fold) or
-- waiting (for its back-off). The next step of a sequence takes over the row of the one before it.
create table skein.task (
  run_id       uuid not null,
  path         text collate "C" not null,
  namespace_id integer not null,
  queue_id     integer not null,
  priority     smallint not null default 0,
  state        skein.task_state not null default 'ready',
  held         boolean not null default false,     -- its run is paused or cancelled: not claimed, not folded, and not in anybody's way
  fairness_key bigint not null default 0,
  version_id   bigint not null,
  step_index   integer not null,
  attempt      integer not null default 1,         -- the number of this attempt, from 1
  losses       integer not null default 0,         -- workers lost with this step
  is_unwanted  boolean not null default false,     -- its worker was told to stop: what comes back is not applied
  ready_at     timestamptz not null,
  step_started_at timestamptz,                     -- when the step's first attempt began
  session_id   bigint,
  fence        bigint,
  claimed_at   timestamptz,
  settled_at   timestamptz,
  outcome      skein.attempt_status,
  retry_state  text,                               -- JSON: what the retry policy has counted so far
  input        text not null,                      -- JSON
  output       text,                               -- JSON
  failure      text,                               -- JSON
  details      text,                               -- JSON: status, exit code, timing, log
  primary key (run_id, path),
  constraint leased_has_owner check (state <> 'leased' or (session_id is not null and fence is not null and claimed_at is not null)),
  constraint settled_has_outcome check ((state = 'settled') = (outcome is not null and settled_at is not null))
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
create index task_ready   on skein.task (queue_id, priority desc, ready_at) where state = 'ready' and not held;
create index task_settled on skein.task (settled_at) where state = 'settled' and not held;

-- Live steps that are no tasks: blocks, loops, joins, state machines and waits under way, and steps of a graph some of whose needs have
-- settled. What every kind has in common are columns; the rest is JSON, bounded by the definition and not by the data.
create table skein.live_step (
  run_id       uuid not null,
  path         text collate "C" not null,
  namespace_id integer not null,
  step_index   integer not null,
  kind         text collate "C" not null,          -- pending, block, loop, parallel, machine, sleep, wait, child, ...
  started_at   timestamptz,
  unmet        integer not null default 0,         -- needs that have not settled
  met          integer not null default 0,         -- needs that settled otherwise than skipped
  unsettled    integer not null default 0,         -- a block's steps not settled yet
  live         integer not null default 0,         -- a block's steps started and not settled
  block_ending text,                               -- why the block no longer starts steps (JSON)
  facts        text,                               -- what else its kind needs (JSON)
  primary key (run_id, path)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);

create table skein.timer (
  run_id       uuid not null,
  path         text collate "C" not null,          -- empty: the run itself
  kind         text collate "C" not null
               check (kind in ('backoff', 'deadline', 'sleep', 'timeout', 'total_timeout', 'every', 'join_deadline', 'after', 'await_timeout')),
  namespace_id integer not null,
  due_at       timestamptz not null,
  is_absolute  boolean not null default false,     -- a moment that was named, not a duration: a pause does not shift it
  held         boolean not null default false,     -- its run is paused
  primary key (run_id, path, kind)
) with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
create index timer_due on skein.timer (due_at) where not held;

-- What the fold is told by others: start a run that an application inserted, cancel one, a sub-workflow has ended, an event meets a wait,
-- an operator adjusts a running loop.
create table skein.inbox (
  inbox_id     bigint generated always as identity primary key,
  run_id       uuid not null,
  namespace_id integer not null,
  kind         text not null check (kind in ('start', 'cancel', 'child', 'event', 'adjust')),
  path         text collate "C",                   -- the step that it is for
  body         text,
  child_run_id uuid,                               -- the sub-workflow that has ended
  event_id     bigint,                             -- the event that meets the step's wait
  held         boolean not null default false,     -- its run is paused
  at           timestamptz not null default clock_timestamp()
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
create index inbox_due on skein.inbox (inbox_id) where not held;
create index inbox_run on skein.inbox (run_id);

-- History ---------------------------------------------------------------------------------------------------------------

-- One row for each step that settled, with the attempt that settled it. The primary key is the promise that a step has one result.
create table skein.step (
  run_id          uuid not null,
  path            text collate "C" not null,
  seq             integer not null,                -- place in the run's history
  namespace_id    integer not null,
  step_index      integer not null,
  status          skein.step_status not null,
  attempt         integer not null,                -- attempts made; 0 for steps that run on the coordinator
  losses          integer not null,
  session_id      bigint,
  fence           bigint,
  started_at      timestamptz,
  claimed_at      timestamptz,                     -- when the last attempt began, where there were several
  finished_at     timestamptz not null,
  input           text,
  output          text,
  collected       text,                            -- JSON: the output is the list of the iterations' outputs, put together when somebody reads it
  failure         text,
  details         text,
  primary key (run_id, path)
) partition by range (run_id);

-- Whoever follows a run asks for what comes after a number.
create index step_history on skein.step (run_id, seq);

-- The attempts that did not settle their step: failed and retried, lost, released, or too late.
create table skein.attempt (
  run_id       uuid not null,
  path         text collate "C" not null,
  attempt      integer not null,
  fence        bigint not null,
  seq          integer not null,
  namespace_id integer not null,
  session_id   bigint not null,
  status       skein.attempt_status not null,
  discarded    boolean not null default false,     -- a result that came after the step was cancelled
  claimed_at   timestamptz not null,
  settled_at   timestamptz not null,
  output       text,
  failure      text,
  details      text,
  primary key (run_id, path, fence)
) partition by range (run_id);
create index attempt_history on skein.attempt (run_id, seq);

-- What else happened to a run. Submission and ending are columns of the run itself.
create table skein.run_event (
  run_id       uuid not null,
  seq          integer not null,
  namespace_id integer not null,
  kind         text not null,
  path         text collate "C",                   -- the step that it happened to
  at           timestamptz not null,
  actor        text,
  body         text,
  primary key (run_id, seq)
) partition by range (run_id);

create table skein.ended_run_default partition of skein.ended_run default;
create table skein.step_default      partition of skein.step default;
create table skein.attempt_default   partition of skein.attempt default;
create table skein.run_event_default partition of skein.run_event default;

-- The smallest UUIDv7 of a moment: histories are partitioned by the time in the run's id.
create function skein.first_run_id(p_at timestamptz) returns uuid
language sql immutable parallel safe as $$
  select (lpad(to_hex((extract(epoch from p_at) * 1000)::bigint), 12, '0') || '00000000000000000000')::uuid
$$;

-- Makes the weekly partitions from this week to p_weeks_ahead weeks later. Safe to call from many places at once.
create function skein.ensure_partitions_v1(p_weeks_ahead integer) returns integer
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_week   timestamptz := date_trunc('week', skein.now() at time zone 'UTC') at time zone 'UTC';
  v_parent text;
  v_name   text;
  v_made   integer := 0;
begin
  if not pg_try_advisory_xact_lock(x'0A03'::integer, 0) then
    return 0;
  end if;
  for v_ahead in 0 .. p_weeks_ahead loop
    foreach v_parent in array array['ended_run', 'step', 'attempt', 'run_event'] loop
      v_name := v_parent || '_' || to_char(v_week at time zone 'UTC', 'IYYY"w"IW');
      if to_regclass('skein.' || v_name) is null then
        begin
          execute format('create table skein.%I partition of skein.%I for values from (%L) to (%L)',
                         v_name, v_parent, skein.first_run_id(v_week), skein.first_run_id(v_week + interval '7 days'));
          v_made := v_made + 1;
        exception
          when check_violation then null;  -- nobody made it in time, and the default partition has rows of that week: it keeps them
        end;
      end if;
    end loop;
    v_week := v_week + interval '7 days';
  end loop;
  return v_made;
end
$$;
select skein.ensure_partitions_v1(4);

-- Workers ---------------------------------------------------------------------------------------------------------------

-- One row for each life of a worker process. Its lease is the lease of every task that it holds. Dead never goes back.
create table skein.worker_session (
  session_id   bigint generated always as identity primary key,
  namespace_id integer not null references skein.namespace,
  worker       text not null,                      -- a name for people
  host         text not null,
  pid          integer not null,
  version      text not null,
  queue_ids    integer[] not null,
  slots        integer not null,
  lease_milliseconds integer not null,
  started_at   timestamptz not null default clock_timestamp(),
  heartbeat_at timestamptz not null default clock_timestamp(),
  lease_until  timestamptz not null,
  draining     boolean not null default false,
  dead_at      timestamptz,
  dead_reason  text,
  reaped_at    timestamptz                         -- when none of its tasks was left
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 200, autovacuum_vacuum_cost_delay = 0);

-- What a worker is told with its next heartbeat: this attempt is no longer wanted.
create table skein.cancel_notice (
  session_id   bigint not null,
  run_id       uuid not null,
  path         text collate "C" not null,
  fence        bigint not null,
  namespace_id integer not null,
  primary key (session_id, run_id, path, fence)
);

-- Fence = timeline × 2^40 + sequence: unique and rising, also after the promotion of a standby that lagged behind.
create sequence skein.fence_sequence as bigint maxvalue 1099511627775;

-- The databases this cluster has lived on. A timeline that changed voids every lease.
create table skein.cluster_epoch (
  system_identifier bigint not null,
  timeline          integer not null,
  since             timestamptz not null default clock_timestamp(),
  voided_sessions   integer not null default 0,
  primary key (system_identifier, timeline)
);

create function skein.timeline() returns integer
language sql volatile as $$
  select ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::integer
$$;

insert into skein.cluster_epoch (system_identifier, timeline)
select (pg_control_system()).system_identifier, skein.timeline();
