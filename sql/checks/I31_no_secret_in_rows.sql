-- I31: no secret is in any row
-- proves: of API keys there are hashes only, and no key that is valid stands in an input, a result, a label, an error, or a workflow file
-- remedy: revoke the key (`skein key revoke <key>`) and make another one; whoever reads the table has it. A key that stands there as it is, and
-- not as a hash, must go: `delete from skein.api_key where name = '<key>' and octet_length(key_hash) <> 32`
with texts as (
  select run_id, '' as path, concat_ws(' ', input, labels) as text from skein.run
  union all select run_id, '', concat_ws(' ', input, labels, output, failure) from skein.ended_run
  union all select run_id, path, concat_ws(' ', input, output, failure, details) from skein.task
  union all select run_id, path, concat_ws(' ', input, output, failure, details) from skein.step
  union all select run_id, path, concat_ws(' ', output, failure, details) from skein.attempt
  union all select run_id, coalesce(path, ''), body from skein.run_event),
found as (
  select run_id::text as place, path, text from texts where skein.is_checked_v1(run_id) and position('sk_' in text) > 0
  union all
  select 'event ' || event_id, name, data from skein.event tablesample system (skein.checked_percent_v1('skein.event')) where position('sk_' in data) > 0
  union all
  select 'workflow ' || name, 'v' || version, source from skein.workflow_version where position('sk_' in source) > 0
  union all
  select 'key', '', name from skein.api_key)
select f.place, f.path, k.name as key
  from found f
 cross join lateral (select distinct m[1] as token from regexp_matches(f.text, '(sk_[A-Za-z0-9_-]{20,200})', 'g') as m) as t
  join skein.api_key k on k.key_hash = sha256(convert_to(t.token, 'UTF8'))
 where k.revoked_at is null
union all
select 'key', 'not a hash', name from skein.api_key where octet_length(key_hash) <> 32;
