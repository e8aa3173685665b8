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
  insert into skein.run (run_id, namespace_id, version_id, is_begun, submitted_at, trigger, labels, input, callees)
  values (v_run_id, v_namespace_id, v_version_id, false, clock_timestamp(), 'sql', p_labels::text, coalesce(p_input, 'null')::text,
          skein.callees_v1(v_version_id));
  insert into skein.inbox (run_id, namespace_id, kind) values (v_run_id, v_namespace_id, 'start');
  return v_run_id;
end
$$;

-- Refuses runs that a later attempt of the same submit has made meanwhile: that of a server which stood still, and whose coordinator has asked again.
-- To be called after the runs are inserted: from then on who makes one of them again waits for this transaction. p_marks are what later attempts
-- have left in skein.run_key.
create or replace function skein.refuse_repeated_v1(p_namespace_ids integer[], p_marks bytea[]) returns void
language plpgsql stable set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_bitmapscan = off as $$
begin
  if exists (select from unnest(p_namespace_ids, p_marks) as g (namespace_id, mark)
                    cross join lateral (
                      select from skein.run_key k where k.namespace_id = g.namespace_id and k.key_hash = g.mark offset 0) as k) then
    raise exception 'a later attempt has made the run' using errcode = 'serialization_failure';
  end if;
end
$$;

-- A UUIDv7: the database's time in front, random bits behind.
create or replace function skein.new_run_id() returns uuid
language sql volatile as $$
  select (lpad(to_hex((extract(epoch from clock_timestamp()) * 1000)::bigint), 12, '0')
          || '7' || substr(replace(gen_random_uuid()::text, '-', ''), 14))::uuid
$$;

-- The versions that the sub-workflows of a version have now, by name, as JSON; null when it has none. A workflow that does not exist is
-- not in it.
create or replace function skein.callees_v1(p_version_id bigint) returns text
language sql stable as $$
  select json_object_agg(w.name, w.live_version_id order by w.name)::text
    from skein.workflow_version v
   cross join lateral unnest(v.callees) as c (name)
    join skein.workflow w on w.namespace_id = v.namespace_id and w.name = c.name
   where v.version_id = p_version_id and w.live_version_id is not null
$$;
