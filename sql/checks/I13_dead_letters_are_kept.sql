-- I13: what could not be started is kept
-- proves: each workflow that follows an ended run without a condition was started or is a dead letter, and every letter is that of a run
-- remedy: report it with the rows; start what is missing by hand (`skein run start`) with the ended run's output, and leave a letter that says so:
-- `insert into skein.dead_letter (namespace_id, kind, run_id, path, workflow, failure) select namespace_id, 'chain', run_id, 'by hand',
-- '<workflows>', '{"type":"limit","message":"started by hand"}' from skein.ended_run where run_id = '<run_id>'`; a letter whose run is gone is
-- about nothing: `delete from skein.dead_letter where letter_id = <letter_id>`
with followers as (
  select e.run_id, v.definition::json -> (case e.status when 'succeeded' then 'onSuccess' when 'cancelled' then 'onCancel' else 'onFailure' end)
         as chains
    from skein.ended_run e
    join skein.workflow_version v using (version_id)
   where skein.is_checked_v1(e.run_id) and v.definition like '%"workflow"%"workflow"%'
     and to_regclass('skein.ended_run_' || to_char(e.ended_at at time zone 'UTC', 'IYYY"w"IW')) is not null)
select f.run_id, l.unconditional as expected, l.started + l.letters as found, l.workflows, null::bigint as letter_id
  from followers f
 cross join lateral (
   select (select count(*) from json_array_elements(f.chains) as c (chain) where c.chain -> 'if' is null) as unconditional,
          (select string_agg(c.chain ->> 'workflow', ', ') from json_array_elements(f.chains) as c (chain) where c.chain -> 'if' is null) as workflows,
          (select count(*) from skein.run r where r.source_run_id = f.run_id)
            + (select count(*) from skein.ended_run r where r.source_run_id = f.run_id) as started,
          (select count(*) from skein.dead_letter d where d.run_id = f.run_id and d.kind = 'chain') as letters) as l
 where f.chains is not null and l.started + l.letters < l.unconditional
union all
select d.run_id, null, null, d.workflow, d.letter_id
  from skein.dead_letter d
 where skein.is_checked_v1(d.run_id)
   and not exists (select from skein.run r where r.run_id = d.run_id)
   and not exists (select from skein.ended_run e where e.run_id = d.run_id)
   and to_regclass('skein.ended_run_' || skein.history_week_v1(d.run_id)) is not null;
