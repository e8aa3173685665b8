-- A workflow's runs, the newest first, however many runs of others there are. Neither index is touched when a run moves on.
-- breaking: no

create index run_of_version       on skein.run (version_id, run_id);
create index ended_run_of_version on skein.ended_run (version_id, run_id);
