-- Why a run waits, and what it is made of.

-- What every live step of a run waits for, with the remedy; first what concerns the run as a whole (step is null). A run that has ended
-- waits for nothing: one row says so. Up to p_limit steps, those that have waited longest first; a last row counts the others. SK004 when
-- there is no such run.
create or replace function skein.explain_run(p_run_id uuid, p_limit integer default 100)
returns table (step text, status text, reason text, detail text, remedy text, since timestamptz, until timestamptz)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  v_run      skein.run;
  v_ended    skein.ended_run;
  v_draining integer;
  v_folders  text := 'is a coordinator running and reaching the database? `skein doctor` says';
begin
  select * into v_run from skein.run where run_id = p_run_id;
  if not found then
    select * into v_ended from skein.ended_run where run_id = p_run_id;
    if not found then
      raise exception 'there is no run %', p_run_id using errcode = 'SK004';
    end if;
    return query select null::text, v_ended.status::text, 'ended',
                        case v_ended.status
                          when 'succeeded' then 'the run succeeded; it waits for nothing'
                          when 'cancelled' then 'the run was cancelled' || coalesce(': ' || v_ended.cancel_reason, '')
                          else 'the run ' || case v_ended.status when 'timed_out' then 'timed out' else 'failed' end
                               || coalesce(' at ' || (v_ended.failure::json ->> 'path'), '') || ': ' || coalesce(v_ended.failure::json ->> 'type', 'custom')
                               || coalesce('/' || (v_ended.failure::json ->> 'code'), '') || coalesce(': ' || (v_ended.failure::json ->> 'message'), '') end,
                        case when v_ended.status in ('failed', 'timed_out') then '`skein run trace ' || p_run_id || '` shows every step and attempt' end,
                        v_ended.ended_at, null::timestamptz;
    return query select d.path, 'failed', 'letter',
                        'workflow ' || d.workflow || ' could not be started: ' || coalesce(d.failure::json ->> 'message', ''),
                        'mend the cause and start it by hand: `skein run start ' || d.workflow || '`', d.at, null::timestamptz
                   from skein.dead_letter d where d.run_id = p_run_id order by d.letter_id;
    return;
  end if;
  v_draining := skein.draining_v1(p_run_id);

  if v_run.quarantined_at is not null then
    return query select null::text, 'running', 'quarantined', 'the run was set aside because it could not be folded: ' || v_run.quarantine_reason,
                        'mend the cause, then set quarantined_at of its row in skein.run to null; or `skein run cancel ' || p_run_id || '`',
                        v_run.quarantined_at, null::timestamptz;
  end if;
  if v_run.cancel_requested_at is not null then
    return query select null::text, 'running', 'cancelling',
                        'the run is being cancelled' || coalesce(' (' || v_run.cancel_reason || ')', '') || ': '
                        || case v_draining when 0 then 'a coordinator will end it'
                                when 1 then '1 attempt still running' else v_draining || ' attempts still running' end,
                        case v_draining when 0 then v_folders else 'their workers are told with their next heartbeat' end,
                        v_run.cancel_requested_at, null::timestamptz;
  end if;
  if v_run.paused_at is not null then
    return query select null::text, 'paused', 'paused',
                        'the run was paused' || case when v_run.paused_by <> p_run_id then ' with run ' || v_run.paused_by else '' end
                        || coalesce(' (' || v_run.pause_reason || ')', '')
                        || case v_draining when 0 then '' when 1 then '; draining: 1 attempt still running'
                                else '; draining: ' || v_draining || ' attempts still running' end,
                        '`skein run resume ' || v_run.paused_by || '`', v_run.paused_at, null::timestamptz;
  end if;
  if exists (select from skein.inbox i where i.run_id = p_run_id and i.kind = 'start') then
    return query select null::text, 'queued', 'coordinator', 'the run was accepted and waits for a coordinator to start it', v_folders,
                        v_run.submitted_at, null::timestamptz;
  end if;

  return query
    with live as (
      select t.path as step,
             case t.state when 'ready' then case when t.held then 'waiting' else 'ready' end
                          when 'waiting' then 'waiting' else 'running' end as status,
             case when t.held and t.state <> 'leased' then case when v_run.paused_at is null then 'cancelling' else 'paused' end
                  when t.state = 'ready' then case when w.alive = 0 then 'worker' else 'queue' end
                  when t.state = 'waiting' then 'backoff'
                  when t.state = 'leased' then 'agent' else 'coordinator' end as reason,
             case when t.held and t.state = 'settled' then 'attempt ' || t.attempt || ' has ended (' || t.outcome || '); its result is kept for the resume'
                  when t.held and t.state = 'waiting' and v_run.paused_at is not null
                  then 'attempt ' || t.attempt || ' is due ' || skein.remaining_v1(m.due_at - v_run.paused_at) || ' after the resume'
                  when t.held and t.state in ('ready', 'waiting') then 'held with its run'
                  when t.state = 'ready' and w.alive = 0 then 'no worker serves queue "' || q.name || '"'
                  when t.state = 'ready' then 'in queue "' || q.name || '", ' || w.alive || case w.alive when 1 then ' worker' else ' workers' end
                       || ' with ' || w.slots || ' slots serve it'
                  when t.state = 'waiting' then 'attempt ' || t.attempt || ' begins when its back-off is over; attempt ' || t.attempt - 1 || ' ended with '
                       || coalesce((select coalesce(a.failure::json ->> 'type', a.status::text) || coalesce(': ' || left(a.failure::json ->> 'message', 200), '')
                                      from skein.attempt a where a.run_id = t.run_id and a.path = t.path order by a.seq desc limit 1), 'an error')
                  when t.state = 'leased' then 'attempt ' || t.attempt || ' is with worker "' || s.worker || '"'
                       || case when s.lease_until < clock_timestamp() then ', whose lease ran out: it will be given to another' else '' end
                  else 'attempt ' || t.attempt || ' has ended (' || t.outcome || ') and waits for a coordinator' end as detail,
             case when t.held and t.state <> 'leased' then null
                  when t.state = 'ready' and w.alive = 0 then 'start one: `skein-worker --queues ' || q.name || '`'
                  when t.state = 'ready' then 'it is claimed when a slot is free; start more workers for more slots'
                  when t.state = 'waiting' then null
                  when t.state = 'leased' then null else v_folders end as remedy,
             case t.state when 'ready' then t.ready_at when 'leased' then t.claimed_at when 'settled' then t.settled_at end as since,
             case when v_run.paused_at is null then m.due_at end as until
        from skein.task t
        join skein.queue q on q.queue_id = t.queue_id
        left join skein.worker_session s on s.session_id = t.session_id
        left join skein.timer m on m.run_id = t.run_id and m.path = t.path and m.kind = 'backoff'
       cross join lateral (
         select count(*)::integer as alive, coalesce(sum(x.slots), 0)::integer as slots from skein.worker_session x
          where t.state = 'ready' and x.dead_at is null and not x.draining and t.queue_id = any (x.queue_ids)) as w
       where t.run_id = p_run_id
      union all
      select l.path, 'pending', 'needs',
             'waits for ' || coalesce((
               select string_agg(n.needs, ', ' order by n.place)
                 from skein.version_step v cross join lateral unnest(v.needs) with ordinality as n (needs, place)
                where v.version_id = v_run.version_id and v.step_index = l.step_index
                  and not exists (select from skein.step d where d.run_id = l.run_id
                                     and d.path = regexp_replace(l.path, '[^.]*$', n.needs) collate "C")), 'other steps'),
             null, l.started_at, null
        from skein.live_step l where l.run_id = p_run_id and l.kind = 'pending'
      union all
      select l.path, 'waiting', 'timer',
             'sleeps' || case when v_run.paused_at is not null and not m.is_absolute
                              then ', ' || skein.remaining_v1(m.due_at - v_run.paused_at) || ' more after the resume' else '' end,
             null, l.started_at, case when v_run.paused_at is null or m.is_absolute then m.due_at end
        from skein.live_step l left join skein.timer m on m.run_id = l.run_id and m.path = l.path and m.kind = 'sleep'
       where l.run_id = p_run_id and l.kind = 'sleep'
      union all
      select m.path, 'waiting', 'timer', 'the next iteration begins after `every`', null, null, case when v_run.paused_at is null then m.due_at end
        from skein.timer m where m.run_id = p_run_id and m.kind = 'every'
      union all
      select w.path, 'waiting', 'event',
             case when i.event_id is not null and v_run.paused_at is not null then 'event ' || i.event_id || ' came and is kept for the resume'
                  when i.event_id is not null then 'event ' || i.event_id || ' came and waits for a coordinator'
                  else coalesce('is in state "' || s.state || '" and ', '') || 'waits for '
                       || coalesce('event ' || array_to_string(w.names, ' or '), 'a signal') || coalesce(' with key "' || w.key || '"', '') end,
             case when i.event_id is not null then case when v_run.paused_at is null then v_folders end
                  when w.key is not null then '`skein event emit ' || w.names[1] || ' --key ' || w.key || '`'
                  else '`skein run signal ' || p_run_id || ' ' || coalesce(w.names[1], 'NAME') || '`' end,
             w.created_at, case when v_run.paused_at is null then m.due_at end
        from skein.wait w
        left join skein.inbox i on i.run_id = w.run_id and i.path = w.path and i.kind = 'event'
        left join skein.timer m on m.run_id = w.run_id and m.path = w.path and m.kind in ('after', 'await_timeout')
        left join lateral (
          select v.body::json ->> 'to' as state from skein.run_event v
           where v.run_id = w.run_id and v.path = w.path and v.kind = 'transition' order by v.seq desc limit 1) as s on true
       where w.run_id = p_run_id
      union all
      -- A state that only time leads out of.
      select m.path, 'waiting', 'timer', 'the state is left when its time is over', null, null, case when v_run.paused_at is null then m.due_at end
        from skein.timer m
       where m.run_id = p_run_id and m.kind = 'after'
         and not exists (select from skein.wait w where w.run_id = m.run_id and w.path = m.path)
      union all
      select c.parent_path, 'waiting', 'child',
             'sub-workflow ' || v.name || ' v' || v.version || ' (run ' || c.run_id || ') ' ||
             case when c.paused_at is not null then 'is paused' when c.cancel_requested_at is not null then 'is being cancelled' else 'is under way' end,
             '`skein run why ' || c.run_id || '`', c.submitted_at, c.deadline_at
        from skein.run c join skein.workflow_version v on v.version_id = c.version_id
       where c.parent_run_id = p_run_id and c.is_awaited
      union all
      select i.path, 'waiting', 'coordinator', 'its sub-workflow has ended and a coordinator will go on', v_folders, i.at, null
        from skein.inbox i where i.run_id = p_run_id and i.kind = 'child'),
    ordered as (
      select live.*, row_number() over (order by since nulls last, live.step) as place, count(*) over () as total from live)
    select o.step, o.status, o.reason, o.detail, o.remedy, o.since, o.until
      from ordered o where o.place <= p_limit
    union all
    select null, 'running', 'more', 'and ' || max(o.total) - p_limit || ' more', null, null, null
      from ordered o having max(o.total) > p_limit;
  -- I35 of the checks.
  if not found and v_run.quarantined_at is null and v_run.paused_at is null
     and not exists (select from skein.task t where t.run_id = p_run_id) and not exists (select from skein.inbox i where i.run_id = p_run_id)
     and not exists (select from skein.timer m where m.run_id = p_run_id and m.kind <> 'deadline')
     and not exists (select from skein.wait w where w.run_id = p_run_id)
     and not exists (select from skein.run c where c.parent_run_id = p_run_id and c.is_awaited) then
    return query select null::text, 'running', 'stuck', 'nothing is left that could move it: its rows contradict each other',
                        'report it with `skein run trace ' || p_run_id || '`; `skein run cancel ' || p_run_id || '` ends it', null::timestamptz, null::timestamptz;
  end if;
end
$$;


-- Where a step stands in the tree of its run: file order, iterations and visits by number, what is inside after what it is inside of.
create or replace function skein.step_order_v1(p_version_id bigint, p_path text) returns text[]
language sql stable as $$
  select array_agg((lpad(coalesce(v.step_index, 0)::text, 7, '0') || lpad(coalesce(substring(x.part from '[\[#](\d+)\]?$'), ''), 10, '0') || x.part)
                   collate "C" order by x.n)
    from (select m.n, m.part[1] as part, string_agg(m.part[1], '') over (order by m.n) as prefix
            from regexp_matches(p_path, '[./]?[^./\[]+|\[\d+\]', 'g') with ordinality as m (part, n)) as x
    left join skein.version_step v
      on v.version_id = p_version_id
     and v.path = regexp_replace(regexp_replace(x.prefix, '\[\d+\]', '[]', 'g'), '#\d+', '#', 'g') collate "C"
$$;

-- A run with everything below it: its steps, the sub-workflows that they started with theirs, and the runs that followed its ending. One
-- row each, in the order of a tree, at most p_limit; level says how far in. SK004 when there is no such run.
create or replace function skein.trace_run(p_run_id uuid, p_limit integer default 1000)
returns table (
  level integer, kind text, run_id uuid, workflow text, step text, verb text, status text, wait_reason text, attempts integer,
  started_at timestamptz, ended_at timestamptz, duration_seconds numeric, error text, relation text)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
  perform from skein.run r where r.run_id = p_run_id;
  if not found then
    perform skein.ending_of_v1(p_run_id);
  end if;
  return query
    with recursive everyone as (
      select r.run_id, r.version_id, r.parent_run_id, r.parent_path, r.source_run_id, r.trigger from skein.run r
      union all
      select e.run_id, e.version_id, e.parent_run_id, e.parent_path, e.source_run_id, e.trigger from skein.ended_run e),
    below as (
      select v.run_id, v.version_id, null::text collate "C" as relation, 0 as level, array[]::text[] collate "C" as place
        from everyone v where v.run_id = p_run_id
      union all
      select x.run_id, x.version_id, x.relation collate "C", b.level + x.deeper, (b.place || x.place) collate "C"
        from below b
       cross join lateral (
         select c.run_id, c.version_id, 'child' as relation, cardinality(o.place) + 1 as deeper, o.place || c.run_id::text as place
           from everyone c cross join lateral (select skein.step_order_v1(b.version_id, c.parent_path) as place) as o
          where c.parent_run_id = b.run_id
         union all
         select c.run_id, c.version_id, c.trigger, 0, array['~', c.run_id::text] from everyone c where c.source_run_id = b.run_id) as x
       where b.level < 200)
    select t.level, t.kind, t.run_id, t.workflow, t.step, t.verb, t.status, t.wait_reason, t.attempts, t.started_at, t.ended_at,
           t.duration_seconds, t.error, t.relation
      from (
        select b.level, 'run' as kind, b.run_id, o.workflow, null::text as step, null::text as verb, o.status, null::text as wait_reason,
               null::integer as attempts, coalesce(o.started_at, o.submitted_at) as started_at, o.ended_at, o.duration_seconds,
               o.error_message as error, b.relation, b.place
          from below b join skein.run_overview o on o.run_id = b.run_id
        union all
        select b.level + 1, 'letter', b.run_id, d.workflow, d.path, null, 'failed', null, null, d.at, d.at, null, d.failure::json ->> 'message',
               d.kind, (b.place || array['~', d.letter_id::text]) collate "C"
          from below b join skein.dead_letter d on d.run_id = b.run_id
        union all
        select b.level + cardinality(i.place), 'step', b.run_id, null, s.step, s.verb, s.status, s.wait_reason, s.attempt, s.started_at,
               s.finished_at, s.duration_seconds, s.error, null, (b.place || i.place) collate "C"
          from below b
         cross join lateral (
           select p.path as step, v.verb, p.status::text as status, null::text as wait_reason, p.attempt, p.started_at, p.finished_at,
                  extract(epoch from p.finished_at - p.started_at)::numeric(16, 3) as duration_seconds, p.failure::json ->> 'message' as error
             from skein.step p
             left join skein.version_step v on v.version_id = b.version_id and v.step_index = p.step_index
            where p.run_id = b.run_id
           union all
           select l.step, l.verb, l.status, l.wait_reason, l.attempt, l.started_at, null, l.duration_seconds, null
             from skein.step_overview l where l.run_id = b.run_id and l.finished_at is null) as s
         cross join lateral (select skein.step_order_v1(b.version_id, s.step) as place) as i) as t
     order by t.place limit p_limit;
end
$$;
