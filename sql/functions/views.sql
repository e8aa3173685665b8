-- The database as an interface: views that are kept stable. Columns are only ever added, at the end.

create or replace view skein.workflow_overview as
select n.name as namespace, w.name as workflow, v.version as live_version, v.content_hash, v.created_at as live_since,
       (select count(*)::integer from skein.workflow_version x where x.namespace_id = w.namespace_id and x.name = w.name) as versions,
       w.created_at
  from skein.workflow w
  join skein.namespace n using (namespace_id)
  left join skein.workflow_version v on v.version_id = w.live_version_id;
comment on view skein.workflow_overview is 'Workflows, and the version that new runs get.';

create or replace view skein.workflow_version_overview as
select n.name as namespace, v.name as workflow, v.version, v.content_hash, v.created_at, v.version_id = w.live_version_id as is_live,
       (select count(*)::integer from skein.version_step s where s.version_id = v.version_id) as steps
  from skein.workflow_version v
  join skein.workflow w on w.namespace_id = v.namespace_id and w.name = v.name
  join skein.namespace n on n.namespace_id = v.namespace_id;
comment on view skein.workflow_version_overview is 'The immutable versions of workflows.';

-- A live run's status is derived from its live work: nothing is stored twice.
create or replace view skein.run_overview as
select r.run_id, n.name as namespace, v.name as workflow, v.version,
       case when r.paused_at is not null then 'paused'
            when r.started_at is not null and exists (select from skein.task t where t.run_id = r.run_id and t.state in ('ready', 'leased', 'settled')) then 'running'
            when exists (select from skein.task t where t.run_id = r.run_id and t.state in ('leased', 'settled')) then 'running'
            when exists (select from skein.task t where t.run_id = r.run_id and t.state = 'ready') then 'queued'
            when exists (select from skein.task t where t.run_id = r.run_id and t.state = 'waiting') then 'waiting'
            when exists (select from skein.live_step l where l.run_id = r.run_id and l.kind in ('sleep', 'wait', 'child')) then 'waiting'
            when exists (select from skein.wait w where w.run_id = r.run_id) then 'waiting'
            when exists (select from skein.timer m where m.run_id = r.run_id and m.kind in ('every', 'after', 'backoff')) then 'waiting'
            when not r.is_begun then 'queued'
            else 'running' end as status,
       r.cancel_requested_at is not null as is_cancelling, r.quarantined_at is not null as is_quarantined,
       r.submitted_at, r.started_at, null::timestamptz as ended_at,
       extract(epoch from clock_timestamp() - r.submitted_at)::numeric(16, 3) as duration_seconds,
       r.trigger, r.labels::jsonb as labels, r.deadline_at, coalesce(r.cancel_reason, r.quarantine_reason) as reason,
       null::text as error_type, null::text as error_message, r.revision, r.history_length,
       r.parent_run_id, r.parent_path as parent_step, r.source_run_id, coalesce(r.root_run_id, r.run_id) as root_run_id, r.depth,
       r.paused_at, r.paused_by, r.pause_reason,
       case when r.paused_at is not null or r.cancel_requested_at is not null
            then skein.draining_v1(r.run_id) else 0 end as draining
  from skein.run r
  join skein.workflow_version v on v.version_id = r.version_id
  join skein.namespace n on n.namespace_id = r.namespace_id
union all
select e.run_id, n.name, v.name, v.version, e.status::text, false, false, e.submitted_at, e.started_at, e.ended_at,
       extract(epoch from e.ended_at - e.submitted_at)::numeric(16, 3),
       e.trigger, e.labels::jsonb, null, e.cancel_reason, e.failure::jsonb ->> 'type', e.failure::jsonb ->> 'message', e.revision,
       e.history_length, e.parent_run_id, e.parent_path, e.source_run_id, coalesce(e.root_run_id, e.run_id), e.depth, null, null, null, 0
  from skein.ended_run e
  join skein.workflow_version v on v.version_id = e.version_id
  join skein.namespace n on n.namespace_id = e.namespace_id;
comment on view skein.run_overview is 'Runs, live and ended, one row each.';

-- Steps of runs: settled ones from history, live ones from the queue. Steps that have not started are not rows yet.
create or replace view skein.step_overview as
select s.run_id, s.path as step, vs.verb, s.status::text as status, null::text as wait_reason, s.attempt, s.losses, s.started_at,
       s.finished_at, extract(epoch from s.finished_at - s.started_at)::numeric(16, 3) as duration_seconds,
       w.worker, s.input::jsonb as input,
       case when s.collected is null then s.output::jsonb else skein.collected_output_v1(s.run_id, s.path, s.collected)::jsonb end as output,
       s.failure::jsonb as error, s.details::jsonb as details, s.fence, s.seq, null::timestamptz as next_attempt_at
  from skein.step s
  left join skein.run r on r.run_id = s.run_id
  left join skein.ended_run e on e.run_id = s.run_id
  left join skein.version_step vs on vs.version_id = coalesce(r.version_id, e.version_id) and vs.step_index = s.step_index
  left join skein.worker_session w on w.session_id = s.session_id
union all
select t.run_id, t.path, 'agent',
       case when t.state = 'leased' then 'running' when t.held or t.state = 'waiting' then 'waiting' when t.state = 'ready' then 'ready' else 'running' end,
       case when t.held and t.state <> 'leased' then 'paused' when t.state = 'waiting' then 'backoff' end,
       t.attempt, t.losses, coalesce(t.step_started_at, t.claimed_at), null,
       extract(epoch from clock_timestamp() - coalesce(t.step_started_at, t.claimed_at))::numeric(16, 3),
       w.worker, t.input::jsonb, null, null, null, t.fence, null, m.due_at
  from skein.task t
  left join skein.worker_session w on w.session_id = t.session_id
  left join skein.timer m on m.run_id = t.run_id and m.path = t.path and m.kind = 'backoff'
union all
select l.run_id, l.path, vs.verb,
       case when l.kind = 'pending' then 'pending'
            when l.kind in ('sleep', 'wait', 'child') or m.kind is not null or w.path is not null then 'waiting' else 'running' end,
       case when r.paused_at is not null and l.kind <> 'pending' then 'paused'
            when l.kind = 'sleep' then 'timer' when l.kind = 'child' then 'child'
            when w.path is not null then 'event' when m.kind in ('every', 'after') then 'timer' end,
       0, 0, l.started_at, null,
       extract(epoch from clock_timestamp() - l.started_at)::numeric(16, 3), null, null, null, null, null, null, null, m.due_at
  from skein.live_step l
  join skein.run r on r.run_id = l.run_id
  left join lateral (
    select k.kind, k.due_at from skein.timer k
     where k.run_id = l.run_id and k.path = l.path and k.kind in ('sleep', 'every', 'after', 'await_timeout')
     order by k.due_at limit 1) as m on true
  left join skein.wait w on w.run_id = l.run_id and w.path = l.path
  left join skein.version_step vs on vs.version_id = r.version_id and vs.step_index = l.step_index;
comment on view skein.step_overview is 'Steps of runs that have started or settled, with input, output and error.';

-- Every attempt: those that settled their step, those that did not, and the one that is under way.
create or replace view skein.attempt_overview as
select s.run_id, s.path as step, s.attempt, s.fence, s.session_id, w.worker,
       case when s.status = 'succeeded' then 'succeeded'
            when s.failure::jsonb ->> 'type' = 'timeout' then 'timed_out'
            when s.failure::jsonb ->> 'type' = 'poison' then 'lost' else 'failed' end as status,
       false as discarded, coalesce(s.claimed_at, s.started_at) as started_at, s.finished_at, s.failure::jsonb as error,
       s.details::jsonb as details
  from skein.step s left join skein.worker_session w on w.session_id = s.session_id
 where s.fence is not null
union all
select a.run_id, a.path, a.attempt, a.fence, a.session_id, w.worker, a.status::text, a.discarded, a.claimed_at, a.settled_at,
       a.failure::jsonb, a.details::jsonb
  from skein.attempt a left join skein.worker_session w on w.session_id = a.session_id
union all
select t.run_id, t.path, t.attempt, t.fence, t.session_id, w.worker, 'running', false, t.claimed_at, null, null, null
  from skein.task t left join skein.worker_session w on w.session_id = t.session_id
 where t.state in ('leased', 'settled');
comment on view skein.attempt_overview is 'Attempts of steps, with the lease under which each was made.';

create or replace view skein.queue_depth as
select n.name as namespace, q.name as queue,
       coalesce(d.ready, 0) as ready, coalesce(d.running, 0) as running, coalesce(d.waiting, 0) as waiting, coalesce(d.held, 0) as held,
       d.oldest_ready_seconds,
       (select count(*)::integer from skein.worker_session w where w.dead_at is null and q.queue_id = any (w.queue_ids)) as workers,
       (select coalesce(sum(w.slots), 0)::integer from skein.worker_session w where w.dead_at is null and q.queue_id = any (w.queue_ids)) as slots
  from skein.queue q
  join skein.namespace n using (namespace_id)
  left join (
    select queue_id,
           count(*) filter (where state = 'ready' and not held)::integer as ready,
           count(*) filter (where state in ('leased', 'settled'))::integer as running,
           count(*) filter (where state = 'waiting')::integer as waiting,
           count(*) filter (where state = 'ready' and held)::integer as held,
           extract(epoch from clock_timestamp() - min(ready_at) filter (where state = 'ready' and not held))::numeric(16, 3) as oldest_ready_seconds
      from skein.task group by queue_id) d using (queue_id);
comment on view skein.queue_depth is 'What is queued, and who serves it.';

create or replace view skein.worker_overview as
select s.session_id, n.name as namespace, s.worker, s.host, s.pid, s.version,
       (select array_agg(q.name order by array_position(s.queue_ids, q.queue_id)) from skein.queue q where q.queue_id = any (s.queue_ids)) as queues,
       s.slots,
       (select count(*)::integer from skein.task t where t.session_id = s.session_id and t.state = 'leased') as slots_used,
       case when s.dead_at is not null then 'dead' when s.draining then 'draining'
            when s.lease_until < clock_timestamp() then 'expired' else 'alive' end as status,
       s.started_at, s.heartbeat_at, s.lease_until, s.dead_at, s.dead_reason
  from skein.worker_session s
  join skein.namespace n using (namespace_id);
comment on view skein.worker_overview is 'Worker sessions: one life of one process each.';

-- The history of a run, in order: submitted, steps and attempts as they settled, other events, the ending.
create or replace view skein.history_overview as
select run_id, 1 as seq, 'run_submitted' as event, null::text as step, null::integer as attempt, submitted_at as at,
       jsonb_build_object('trigger', trigger) as body
  from (select run_id, submitted_at, trigger from skein.run union all select run_id, submitted_at, trigger from skein.ended_run) as r
union all
select run_id, seq, 'step_' || status::text, path, attempt, finished_at, failure::jsonb from skein.step
union all
select run_id, seq, 'attempt_' || status::text, path, attempt, settled_at, failure::jsonb from skein.attempt
union all
select run_id, seq, kind, path, null, at, body::jsonb from skein.run_event
union all
select run_id, history_length, 'run_' || status::text, null, null, ended_at, failure::jsonb from skein.ended_run;
comment on view skein.history_overview is 'What happened to a run, numbered without gaps.';

-- The moves of state machines.
create or replace view skein.transition_overview as
select v.run_id, v.path as machine, v.seq, v.body::jsonb ->> 'from' as from_state, v.body::jsonb ->> 'to' as to_state,
       v.body::jsonb ->> 'event' as event, v.body::jsonb ->> 'guard' as guard, v.body::jsonb ->> 'actor' as actor, v.at
  from skein.run_event v
 where v.kind = 'transition';
comment on view skein.transition_overview is 'Every transition of a state machine: from, to, event, guard, actor, time.';

create or replace view skein.event_overview as
select e.event_id, n.name as namespace, e.name as event, e.run_id, e.key, e.source, e.source_id, e.actor, e.data::jsonb as data, e.at,
       e.state::text as status, e.taken_by, e.taken_path as taken_by_step, e.decided_at, e.reason, e.expires_at,
       (select jsonb_agg(jsonb_build_object('run_id', d.run_id, 'step', d.path, 'at', d.at) order by d.at)
          from skein.event_delivery d where d.event_id = e.event_id and d.is_consumed) as consumers
  from skein.event e join skein.namespace n using (namespace_id);
comment on view skein.event_overview is 'Events and signals, and what became of them.';

create or replace view skein.dead_letter_overview as
select d.letter_id, n.name as namespace, d.kind, d.run_id, d.path as step, d.workflow, d.input::jsonb as input, d.failure::jsonb as error, d.at
  from skein.dead_letter d join skein.namespace n using (namespace_id);
comment on view skein.dead_letter_overview is 'What could not be done and waits for somebody to decide.';
