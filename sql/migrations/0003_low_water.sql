-- Where looks at the queue begin when much that is dead lies in front of what is alive.
-- breaking: no

-- Below a mark nothing is waiting: whatever the index has there is dead, and cannot be tidied up yet because somebody holds a snapshot, or
-- nobody has vacuumed. There is a mark only while looks without one are slow. It is a hint: a look below it follows now and then, and what is
-- found there pulls it down.
create table skein.low_water (
  kind        text collate "C" not null check (kind in ('ready', 'settled')),
  queue_id    integer not null,                    -- of what is ready; 0 for what has settled
  priority    smallint not null,                   -- the mark is for tasks of this priority; 0 for what has settled
  since       timestamptz not null,                -- ready_at or settled_at
  look_at     timestamptz not null,                -- when to look below it
  valid_until timestamptz not null,                -- without a look it is not believed any longer
  primary key (kind, queue_id)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 200, autovacuum_vacuum_cost_delay = 0);
