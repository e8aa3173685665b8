-- I3: a key names a run that exists
-- proves: whoever submitted with an idempotency key was given the id of a run that was accepted; runs of dropped weeks aside
-- remedy: report it; without its row the key makes a run at the client's next submit:
-- `delete from skein.run_key where namespace_id = <namespace_id> and key_hash = decode('<key_hash>', 'hex')`
select k.namespace_id, encode(k.key_hash, 'hex') as key_hash, k.run_id
  from skein.run_key k tablesample system (skein.checked_percent_v1('skein.run_key'))
 where not exists (select from skein.run r where r.run_id = k.run_id)
   and not exists (select from skein.ended_run e where e.run_id = k.run_id)
   and to_regclass('skein.ended_run_' || skein.history_week_v1(k.run_id)) is not null;
