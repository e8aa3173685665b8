-- What every design shares: the live runs, the append-only history, the worker sessions and the fences.
-- psql variables, all optional: runs (how many live runs), fillfactor (of the task table, where rows are updated),
-- ready_predicate (of the claim index), history_partitions (0, or in how many ranges of run_id the history is split).
\if :{?runs} \else \set runs 2000 \endif
\if :{?fillfactor} \else \set fillfactor 50 \endif
\if :{?ready_predicate} \else \set ready_predicate 'session_id is null and not held' \endif
\if :{?history_partitions} \else \set history_partitions 0 \endif
select :history_partitions > 0 as partitioned \gset
set client_min_messages = warning;
drop schema if exists skein_floor cascade;
create schema skein_floor;
set search_path = skein_floor;

create sequence fence_sequence cache 1;

create table session (
  session_id  bigint      primary key,
  alive_until timestamptz not null
) with (fillfactor = 20);
insert into session select g, clock_timestamp() + interval '1 day' from generate_series(1, 64) g;

-- Live runs only. No index besides the key, so that a fold's update is HOT.
create table run (
  run_id      uuid        primary key,
  workflow_id integer     not null,
  status      smallint    not null default 0,
  revision    bigint      not null default 0,
  steps       integer     not null default 0,
  updated_at  timestamptz not null
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);

-- A UUIDv7: milliseconds since 1970 in the first 48 bits, the rest random.
create function new_run_id(p_millis bigint) returns uuid language sql volatile as $$
  select (lpad(to_hex(p_millis), 12, '0') || '7' || substr(md5(random()::text), 1, 3) || '8' || substr(md5(random()::text), 1, 15))::uuid
$$;

-- One row a finished step. Never updated.
create table history (
  run_id      uuid        not null,
  path        text        not null,
  seq         integer     not null,
  status      smallint    not null,
  attempt     integer     not null,
  fence       bigint      not null,
  session_id  bigint      not null,
  started_at  timestamptz not null,
  finished_at timestamptz not null,
  output      text,
  primary key (run_id, path)
)
\if :partitioned
partition by range (run_id)
\endif
;

-- The timeline of the WAL being written; `pg_control_checkpoint()` names the new one only after the first checkpoint that
-- follows a promotion. Asked once a statement, never once a row.
create function timeline() returns bigint language sql stable as $$
  select ('x' || lpad(substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8), 16, '0'))::bit(64)::bigint
$$;

insert into run (run_id, workflow_id, updated_at)
select new_run_id((extract(epoch from clock_timestamp()) * 1000)::bigint - :runs + g), 1, clock_timestamp()
  from generate_series(1, :runs) g;

\if :partitioned
-- Ranges with as many runs each, so that every batch is routed to all of them.
with bound as (
  select run_id, ntile(:history_partitions) over (order by run_id) as part from run),
edge as (
  select part, min(run_id::text) as low, lead(min(run_id::text)) over (order by part) as high from bound group by part)
select format('create table history_%s partition of history for values from (%s) to (%s)', part,
              case when part = 1 then 'minvalue' else quote_literal(low) end, coalesce(quote_literal(high), 'maxvalue'))
  from edge \gexec
\endif

-- How many units of work are done; a design may put its own in this place.
create function progress() returns bigint language sql stable as $$ select count(*) from history $$;
