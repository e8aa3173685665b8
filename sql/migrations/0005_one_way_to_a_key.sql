-- A row is looked up by its key through the primary key, and through nothing else.
-- breaking: no

-- While a table is empty all its indexes cost the same, and a plan that is made then is kept. So a look for one run went through the whole index
-- of a workflow's runs (30 ms for each fold with 1,000 live runs, until statistics were made anew), and a look for one step of a week that had
-- just begun went through all steps of the run. Indexes that have the first columns of a key somewhere are kept out of its way by a
-- condition that only those who want them write down.
drop index skein.run_of_version;
drop index skein.ended_run_of_version;
drop index skein.step_history;
drop index skein.attempt_history;
drop index skein.event_delivery_run;
create index run_of_version       on skein.run (version_id, run_id) where version_id > 0;
create index ended_run_of_version on skein.ended_run (version_id, run_id) where version_id > 0;
create index step_history         on skein.step (run_id, seq) where seq > 0;
create index attempt_history      on skein.attempt (run_id, seq) where seq > 0;
create index event_delivery_run   on skein.event_delivery (run_id) where not is_consumed;
