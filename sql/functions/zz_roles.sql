-- Who may do what. skein_app: coordinators. skein_worker: the task functions and nothing else. skein_reader: the views.

do $$
declare
  v_role text;
begin
  foreach v_role in array array['skein_app', 'skein_worker', 'skein_reader'] loop
    if not exists (select from pg_roles where rolname = v_role) then
      begin
        execute format('create role %I nologin', v_role);
      exception
        when insufficient_privilege then
          raise notice 'role % is missing and this user may not create it; ask an administrator', v_role;
        when duplicate_object or unique_violation then
          null;  -- made by somebody else at the same moment
      end;
    end if;
  end loop;

  if exists (select from pg_roles where rolname = 'skein_app') then
    grant usage on schema skein to skein_app;
    grant select, insert, update, delete, truncate on all tables in schema skein to skein_app;
    grant usage, select on all sequences in schema skein to skein_app;
    grant execute on all functions in schema skein to skein_app;
  end if;

  revoke execute on all functions in schema skein from public;

  if exists (select from pg_roles where rolname = 'skein_worker') then
    grant usage on schema skein to skein_worker;
    grant execute on function
      skein.register_session_v1(text, text, text, integer, text, text[], integer, integer), skein.heartbeat_v1(bigint, boolean),
      skein.close_session_v1(bigint), skein.step_calls_v1(bigint[], integer[]), skein.claim_tasks_v1(bigint, integer),
      skein.settle_tasks_v1(bigint, uuid[], text[], bigint[], text[], text[], text[], text[]), skein.release_strays_v1(bigint, bigint[])
    to skein_worker;
  end if;

  if exists (select from pg_roles where rolname = 'skein_reader') then
    grant usage on schema skein to skein_reader;
    grant select on skein.workflow_overview, skein.workflow_version_overview, skein.run_overview, skein.step_overview,
                    skein.attempt_overview, skein.queue_depth, skein.worker_overview, skein.history_overview, skein.transition_overview,
                    skein.event_overview, skein.dead_letter_overview to skein_reader;
    -- What the views and an operator's questions need; they only read.
    grant execute on function skein.now(), skein.collected_output_v1(uuid, text, text), skein.explain_run(uuid, integer),
                              skein.trace_run(uuid, integer), skein.draining_v1(uuid) to skein_reader;
  end if;
end
$$;
