-- The fold's side of the protocol: which runs have something to decide.

-- Locks up to p_limit runs each that have settled tasks, orders in the inbox, or due timers, oldest first, and answers with their
-- rows and with what there is to fold. Runs that another coordinator works on are passed over; quarantined ones are left alone.
-- What is settled must be read in a statement after this one: only then nobody else can have folded it.
create or replace function skein.lock_due_runs_v1(p_limit integer)
returns table (
  run_id uuid, namespace_id integer, version_id bigint, revision bigint, history_length integer, unsettled integer, live integer,
  block_ending text, started_at timestamptz, cancel_requested_at timestamptz, cancel_reason text, submitted_at timestamptz,
  deadline_at timestamptz, trigger text, labels text, has_settled boolean, has_orders boolean, has_timers boolean)
language plpgsql as $$
#variable_conflict use_column
declare
  v_settled uuid[];
  v_orders  uuid[];
  v_timers  uuid[];
begin
  select array_agg(p.run_id) into v_settled
    from (select r.run_id
            from skein.task t join skein.run r on r.run_id = t.run_id
           where t.state = 'settled' and r.quarantined_at is null
           order by t.settled_at
           limit p_limit
             for update of r skip locked) as p;
  select array_agg(p.run_id) into v_orders
    from (select r.run_id
            from skein.inbox i join skein.run r on r.run_id = i.run_id
           where r.quarantined_at is null
           order by i.inbox_id
           limit p_limit
             for update of r skip locked) as p;
  select array_agg(p.run_id) into v_timers
    from (select r.run_id
            from skein.timer d join skein.run r on r.run_id = d.run_id
           where d.due_at <= skein.now() and r.quarantined_at is null
           order by d.due_at
           limit p_limit
             for update of r skip locked) as p;
  -- A statement of its own, so that it sees the rows as they are now that they are locked.
  return query
    select r.run_id, r.namespace_id, r.version_id, r.revision, r.history_length, r.unsettled, r.live, r.block_ending, r.started_at,
           r.cancel_requested_at, r.cancel_reason, r.submitted_at, r.deadline_at, r.trigger, r.labels,
           coalesce(r.run_id = any (v_settled), false), coalesce(r.run_id = any (v_orders), false),
           coalesce(r.run_id = any (v_timers), false)
      from skein.run r
     where r.run_id = any (v_settled || v_orders || v_timers);
end
$$;
