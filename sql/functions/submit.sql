-- What an application may do inside its own transaction. The admin API does the same things through the same rules.

-- Starts a run of a workflow's live version. With p_key a second call returns the first run; SK003 when it asked for something else.
create or replace function skein.submit(
  p_workflow text, p_input jsonb default '{}', p_key text default null, p_namespace text default 'default', p_labels jsonb default null)
returns uuid
language plpgsql as $$
declare
  v_namespace_id integer;
  v_version_id   bigint;
  v_run_id       uuid;
  v_request_hash bytea;
  v_existing     record;
begin
  select w.namespace_id, w.live_version_id into v_namespace_id, v_version_id
    from skein.workflow w join skein.namespace n using (namespace_id)
   where n.name = p_namespace and w.name = p_workflow;
  if v_version_id is null then
    raise exception 'there is no workflow "%" in namespace "%"', p_workflow, p_namespace using errcode = 'SK004';
  end if;
  v_run_id := skein.new_run_id();
  if p_key is not null then
    v_request_hash := sha256(convert_to(p_workflow || E'\n' || coalesce(p_input, 'null')::text, 'UTF8'));
    insert into skein.run_key (namespace_id, key_hash, request_hash, run_id, expires_at)
    values (v_namespace_id, sha256(convert_to(p_key, 'UTF8')), v_request_hash, v_run_id, clock_timestamp() + interval '30 days')
    on conflict (namespace_id, key_hash) do nothing;
    if not found then
      select k.run_id, k.request_hash into v_existing from skein.run_key k
       where k.namespace_id = v_namespace_id and k.key_hash = sha256(convert_to(p_key, 'UTF8'));
      if v_existing.request_hash <> v_request_hash then
        raise exception 'the key "%" was used before for another request (run %)', p_key, v_existing.run_id using errcode = 'SK003';
      end if;
      return v_existing.run_id;
    end if;
  end if;
  insert into skein.run (run_id, namespace_id, version_id, submitted_at, trigger, labels, input)
  values (v_run_id, v_namespace_id, v_version_id, clock_timestamp(), 'sql', p_labels::text, coalesce(p_input, 'null')::text);
  insert into skein.inbox (run_id, namespace_id, kind) values (v_run_id, v_namespace_id, 'start');
  return v_run_id;
end
$$;

-- A UUIDv7: the database's time in front, random bits behind.
create or replace function skein.new_run_id() returns uuid
language sql volatile as $$
  select (lpad(to_hex((extract(epoch from clock_timestamp()) * 1000)::bigint), 12, '0')
          || '7' || substr(r.hex, 1, 3)
          || substr('89ab', 1 + ('x' || substr(r.hex, 4, 1))::bit(4)::integer % 4, 1) || substr(r.hex, 5, 15))::uuid
    from (select replace(gen_random_uuid()::text, '-', '') as raw) as u
    cross join lateral (select substr(u.raw, 1, 12) || substr(u.raw, 14, 3) || substr(u.raw, 18, 15) as hex) as r
$$;

-- Cancels a run. When this commits nothing of it starts any more; queued work ends with the next fold, running work is told with
-- its worker's next heartbeat. Answers 'cancelling' or, for a run that has ended, its ending. SK004 when there is no such run.
create or replace function skein.cancel(p_run_id uuid, p_reason text default null) returns text
language plpgsql as $$
declare
  v_run    record;
  v_ending skein.ending;
begin
  select namespace_id, cancel_requested_at into v_run from skein.run where run_id = p_run_id for update;
  if not found then
    select status into v_ending from skein.ended_run where run_id = p_run_id;
    if not found then
      raise exception 'there is no run %', p_run_id using errcode = 'SK004';
    end if;
    return v_ending;
  end if;
  if v_run.cancel_requested_at is null then
    update skein.run set cancel_requested_at = clock_timestamp(), cancel_reason = p_reason where run_id = p_run_id;
    update skein.task set held = true where run_id = p_run_id and state = 'ready' and not held;
    insert into skein.inbox (run_id, namespace_id, kind, body) values (p_run_id, v_run.namespace_id, 'cancel', p_reason);
  end if;
  return 'cancelling';
end
$$;
