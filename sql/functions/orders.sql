-- What operators tell runs: cancel, pause, resume, adjust. Each locks the run and what follows it, from the top down, and answers when it
-- is committed; the fold takes it from there.

-- Locks a live run and the live runs below it that follow it, and answers with their ids, itself first. Null when it is not live.
create or replace function skein.lock_tree_v1(p_run_id uuid) returns uuid[]
language plpgsql as $$
declare
  v_all   uuid[] := array[p_run_id];
  v_level uuid[] := array[p_run_id];
begin
  perform from skein.run where run_id = p_run_id for update;
  if not found then
    return null;
  end if;
  -- A run whose lock is held gets no more children: only its fold starts some.
  loop
    select array_agg(run_id) into v_level
      from (select run_id from skein.run
             where parent_run_id = any (v_level) and follows_parent order by run_id for update) as children;
    exit when v_level is null;
    v_all := v_all || v_level;
  end loop;
  return v_all;
end
$$;

-- How many attempts of a run, and of those below it that follow it, are with workers.
create or replace function skein.draining_v1(p_run_id uuid) returns integer
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  with recursive tree as (
    select p_run_id as run_id
    union all
    select c.run_id from tree t join skein.run c on c.parent_run_id = t.run_id where c.follows_parent)
  select count(*)::integer from tree join skein.task k using (run_id) where k.state = 'leased'
$$;

-- The ending of a run that is not live; SK004 when there is no such run.
create or replace function skein.ending_of_v1(p_run_id uuid) returns text
language plpgsql stable as $$
declare
  v_ending skein.ending;
begin
  select status into v_ending from skein.ended_run where run_id = p_run_id;
  if not found then
    raise exception 'there is no run %', p_run_id using errcode = 'SK004';
  end if;
  return v_ending;
end
$$;

-- Notes in the history of locked runs that something happened to them. Their revision moves on, so that no coordinator goes on from
-- what it remembers.
create or replace function skein.note_event_v1(p_run_ids uuid[], p_kind text, p_body text) returns void
language sql as $$
  with noted as (
    update skein.run set history_length = history_length + 1, revision = revision + 1
     where run_id = any (p_run_ids)
    returning run_id, namespace_id, history_length)
  insert into skein.run_event (run_id, seq, namespace_id, kind, at, actor, body)
  select run_id, history_length, namespace_id, p_kind, skein.now(), session_user, p_body from noted
$$;

-- Locks the tasks of locked runs, in the one order in which everybody locks many tasks who waits for them: workers that settle do it
-- at any moment.
create or replace function skein.lock_tasks_v1(p_run_ids uuid[]) returns void
language plpgsql as $$
begin
  perform from skein.task where run_id = any (p_run_ids) order by run_id, path for update;
end
$$;

-- Marks locked runs as to be cancelled: nothing of them starts any more, and a pause is over, as is a quarantine: ending may be
-- possible where going on was not. The fold does the rest. Without a reason
-- it is the one of the order in the run's inbox.
create or replace function skein.mark_cancelled_v1(p_run_ids uuid[], p_reason text) returns void
language plpgsql as $$
begin
  update skein.run
     set cancel_requested_at = coalesce(cancel_requested_at, clock_timestamp()), 
         cancel_reason = coalesce(cancel_reason, p_reason, (
           select i.body from skein.inbox i where i.run_id = run.run_id and i.kind = 'cancel' order by i.inbox_id limit 1)),
         paused_at = null, paused_by = null, pause_reason = null, quarantined_at = null, quarantine_reason = null
   where run_id = any (p_run_ids);
  -- What is ready is held until the fold takes it out; what has settled meanwhile has to be seen by it.
  perform skein.lock_tasks_v1(p_run_ids);
  update skein.task set held = (state = 'ready') where run_id = any (p_run_ids) and held <> (state = 'ready');
  perform skein.forget_marks_v1();
  update skein.timer set held = false where run_id = any (p_run_ids) and held;
  update skein.inbox set held = false where run_id = any (p_run_ids) and held;
end
$$;

-- Cancels a run and those below it that follow it. When this commits nothing of them starts any more; queued work ends with the next
-- fold, running work is told with its worker's next heartbeat. Answers 'cancelling' or, for a run that has ended, its ending. SK004 when
-- there is no such run.
create or replace function skein.cancel(p_run_id uuid, p_reason text default null) returns text
language plpgsql as $$
declare
  v_runs uuid[] := skein.lock_tree_v1(p_run_id);
begin
  if v_runs is null then
    return skein.ending_of_v1(p_run_id);
  end if;
  -- The orders go to those that had none yet.
  insert into skein.inbox (run_id, namespace_id, kind, body)
  select run_id, namespace_id, 'cancel',
         case when run_id = p_run_id then p_reason else 'the run that started it was cancelled' || coalesce(': ' || p_reason, '') end
    from skein.run where run_id = any (v_runs) and cancel_requested_at is null;
  -- All at once, in the order in which workers settle: a run need not be older than those below it.
  perform skein.lock_tasks_v1(v_runs);
  perform skein.mark_cancelled_v1(array[p_run_id], p_reason);
  perform skein.mark_cancelled_v1(v_runs[2:], 'the run that started it was cancelled' || coalesce(': ' || p_reason, ''));
  return 'cancelling';
end
$$;

-- Pauses a run and those below it that follow it. When this commits no step of them starts; attempts under way finish, and their results
-- are kept. Durations stand still, events are kept for later. Answers 'paused'; SK004 when there is no such run, SK006 when it
-- has ended or is being cancelled.
create or replace function skein.pause(p_run_id uuid, p_reason text default null) returns text
language plpgsql as $$
declare
  v_runs uuid[] := skein.lock_tree_v1(p_run_id);
  v_new  uuid[];
begin
  if v_runs is null then
    raise exception 'run % has ended: it %', p_run_id, skein.ending_of_v1(p_run_id) using errcode = 'SK006';
  end if;
  perform from skein.run where run_id = p_run_id and cancel_requested_at is not null;
  if found then
    raise exception 'run % is being cancelled', p_run_id using errcode = 'SK006';
  end if;
  select array_agg(run_id) into v_new
    from skein.run where run_id = any (v_runs) and paused_at is null and cancel_requested_at is null;
  if v_new is null then
    return 'paused';
  end if;
  update skein.run set paused_at = skein.now(), paused_by = p_run_id, pause_reason = p_reason where run_id = any (v_new);
  -- A claim that is under way has the row: we wait for it, and hold what it has left.
  perform skein.lock_tasks_v1(v_new);
  update skein.task set held = true where run_id = any (v_new) and not held;
  update skein.timer set held = true where run_id = any (v_new) and not held;
  update skein.inbox set held = true where run_id = any (v_new) and not held and kind <> 'cancel';
  perform skein.note_event_v1(v_new, 'paused', json_strip_nulls(json_build_object('reason', p_reason, 'with', p_run_id))::text);
  return 'paused';
end
$$;

-- Resumes a run and those that were paused with it. Durations go on where they stood still; moments that were named stay what they were.
-- Answers 'resumed'; SK004 when there is no such run, SK006 when it is not paused, or was paused with another run.
create or replace function skein.resume(p_run_id uuid) returns text
language plpgsql as $$
declare
  v_runs uuid[] := skein.lock_tree_v1(p_run_id);
  v_run  record;
begin
  if v_runs is null then
    raise exception 'run % has ended: it %', p_run_id, skein.ending_of_v1(p_run_id) using errcode = 'SK006';
  end if;
  select paused_at, paused_by into v_run from skein.run where run_id = p_run_id;
  if v_run.paused_at is null then
    raise exception 'run % is not paused', p_run_id using errcode = 'SK006';
  end if;
  if v_run.paused_by <> p_run_id then
    raise exception 'run % was paused with run %: resume that one', p_run_id, v_run.paused_by using errcode = 'SK006';
  end if;
  select array_agg(run_id) into v_runs from skein.run where run_id = any (v_runs) and paused_by = p_run_id;
  update skein.timer t
     set held = false, due_at = case when t.is_absolute then t.due_at else t.due_at + (skein.now() - r.paused_at) end
    from skein.run r
   where r.run_id = any (v_runs) and t.run_id = r.run_id and t.held;
  update skein.run
     set deadline_at = deadline_at + (skein.now() - paused_at), paused_at = null, paused_by = null, pause_reason = null
   where run_id = any (v_runs);
  perform skein.lock_tasks_v1(v_runs);
  update skein.task set held = false where run_id = any (v_runs) and held;
  perform skein.forget_marks_v1();
  update skein.inbox set held = false where run_id = any (v_runs) and held;
  perform skein.note_event_v1(v_runs, 'resumed', null);
  return 'resumed';
end
$$;

-- Changes how many iterations of a running loop may run at once (0: all), and how many may fail ('3', '10%'). Null leaves as it is.
-- SK004 when there is no such run or no such loop under way; SK006 when the run has ended.
create or replace function skein.adjust(p_run_id uuid, p_step text, p_max_parallel integer default null, p_tolerate text default null)
returns text
language plpgsql as $$
declare
  v_namespace_id integer;
  v_is_paused    boolean;
begin
  if p_max_parallel < 0 or p_tolerate !~ '^\d{1,9}%?$' or (p_max_parallel is null and p_tolerate is null) then
    raise exception 'give a number of iterations at once (0 is all), or how many may fail (3 or 10%%)' using errcode = 'SK009';
  end if;
  select namespace_id, paused_at is not null into v_namespace_id, v_is_paused from skein.run where run_id = p_run_id for share;
  if not found then
    raise exception 'run % has ended: it %', p_run_id, skein.ending_of_v1(p_run_id) using errcode = 'SK006';
  end if;
  perform from skein.live_step where run_id = p_run_id and path = p_step and kind = 'loop';
  if not found then
    raise exception 'run % has no loop "%" under way', p_run_id, p_step using errcode = 'SK004';
  end if;
  insert into skein.inbox (run_id, namespace_id, kind, path, held, body)
  values (p_run_id, v_namespace_id, 'adjust', p_step, v_is_paused,
          json_strip_nulls(json_build_object('maxParallel', p_max_parallel, 'tolerate', p_tolerate))::text);
  return 'adjusted';
end
$$;

-- A length of time as people read it: 1.5 s, 12 min.
create or replace function skein.remaining_v1(p_time interval) returns text
language sql immutable parallel safe as $$
  select case when s.n < 90 then round(s.n, 1) || ' s' when s.n < 5400 then round(s.n / 60) || ' min' else round(s.n / 3600, 1) || ' h' end
    from (select greatest(0, extract(epoch from p_time)) as n) as s
$$;
