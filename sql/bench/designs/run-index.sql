-- Added to a design: the index by which a cancel or a pause finds a run's tasks, where the design's keys do not.
select format('create index on %I (run_id)', tablename) from pg_tables
 where schemaname = 'skein_floor' and tablename in ('task', 'lease') \gexec
