-- What control flow adds to the core: events and the waits that they meet, the collections of loops, the sizes of trees of runs, and what
-- could not be started.
-- breaking: no

-- Events ----------------------------------------------------------------------------------------------------------------

-- Where an event is. buffered: kept until a wait takes it; offered: handed to a wait, whose run has yet to decide; consumed, refused
-- and dropped: decided; expired: its run ended, or its time was over, before anybody took it.
create type skein.event_state as enum ('buffered', 'offered', 'consumed', 'refused', 'dropped', 'expired');

-- What came from outside, or from another run. A signal is addressed to one run; everything else meets waits of the same name and key.
create table skein.event (
  event_id     bigint generated always as identity primary key,
  namespace_id integer not null,
  name         text not null,
  run_id       uuid,                               -- a signal's run
  key          text,                               -- the correlation key
  correlation  bytea,                              -- SHA-256 of namespace, name and key; null for signals
  source       text,
  source_id    text,
  actor        text,
  data         text not null,                      -- JSON
  at           timestamptz not null default clock_timestamp(),
  expires_at   timestamptz not null,
  state        skein.event_state not null default 'buffered',
  taken_by     uuid,                               -- the run that it was offered to, or that decided
  taken_path   text collate "C",
  decided_at   timestamptz,
  reason       text
) with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
create index event_signal      on skein.event (run_id, event_id) where run_id is not null and state in ('buffered', 'offered');
create index event_correlation on skein.event (correlation, event_id) where correlation is not null and state = 'buffered';
create index event_expiry      on skein.event (expires_at) where state in ('buffered', 'offered');

-- The same event sent twice counts once: its id at its source outlives it.
create table skein.event_key (
  namespace_id integer not null,
  source       text not null,
  id_hash      bytea not null,                     -- SHA-256 of the id
  event_id     bigint not null,
  expires_at   timestamptz not null,
  primary key (namespace_id, source, id_hash)
);
create index event_key_expiry on skein.event_key (expires_at);

-- An event is handed to a wait at most once, and a broadcast to each wait once.
create table skein.event_delivery (
  event_id     bigint not null,
  run_id       uuid not null,
  path         text collate "C" not null,
  namespace_id integer not null,
  at           timestamptz not null default clock_timestamp(),
  is_broadcast boolean not null default false,     -- others were given it too
  is_consumed  boolean not null default false,
  primary key (event_id, run_id, path)
);
create index event_delivery_run on skein.event_delivery (run_id);

-- Steps that wait for an event.
create table skein.wait (
  run_id       uuid not null,
  path         text collate "C" not null,
  namespace_id integer not null,
  names        text[],                             -- null: every signal of the run
  key          text,
  since        timestamptz not null,               -- events that came earlier are not meant
  is_broadcast boolean not null default false,     -- others may take the same event too
  created_at   timestamptz not null default clock_timestamp(),
  primary key (run_id, path)
) with (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);

-- The keys under which a wait is found by events that are no signals.
create table skein.wait_key (
  correlation  bytea not null,
  run_id       uuid not null,
  path         text collate "C" not null,
  namespace_id integer not null,
  primary key (correlation, run_id, path)
);
create index wait_key_step on skein.wait_key (run_id, path);

-- What the matcher has to look at: whoever writes an event or a wait leaves a row, and whichever commits last is seen together with the
-- other. So no wait and no event can miss each other, whatever the order.
create table skein.match (
  match_id     bigint generated always as identity primary key,
  namespace_id integer not null,
  correlation  bytea,                              -- events and waits of this name and key
  run_id       uuid                                -- signals and waits of this run
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);

-- Loops -----------------------------------------------------------------------------------------------------------------

-- The collection of a loop, as it was at its start, in slices of 256 items.
create table skein.loop_slice (
  run_id       uuid not null,
  path         text collate "C" not null,
  slice        integer not null,                   -- from 0
  namespace_id integer not null,
  items        text not null,                      -- JSON array
  primary key (run_id, path, slice)
);

-- Trees of runs ---------------------------------------------------------------------------------------------------------

-- How many runs the first run of a tree has below it. Counted under the row's lock, by whoever starts some.
create table skein.run_tree (
  root_run_id  uuid primary key,
  namespace_id integer not null,
  descendants  integer not null
);

-- Dead letters ----------------------------------------------------------------------------------------------------------

-- What could not be started and must not be forgotten: a chained run whose input could not be made or was refused, a sub-workflow that
-- nobody waits for and that was one too many.
create table skein.dead_letter (
  letter_id    bigint generated always as identity primary key,
  namespace_id integer not null,
  kind         text not null check (kind in ('chain', 'child')),
  run_id       uuid not null,                      -- the run that it comes from
  path         text collate "C" not null,          -- the step, or onSuccess[0]
  workflow     text not null,
  input        text,
  failure      text not null,                      -- JSON
  at           timestamptz not null default clock_timestamp()
);
create index dead_letter_run on skein.dead_letter (run_id);
