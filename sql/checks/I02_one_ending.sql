-- I2: a run has at most one ending
-- proves: no run is both live and ended, so its ending is the only one and nothing can change it
-- remedy: report it; the ended row is the truth, the live one must go (I9 then names its work): `delete from skein.run where run_id = '<run_id>'`
select r.run_id, e.status, e.ended_at from skein.run r join skein.ended_run e using (run_id) where skein.is_checked_v1(r.run_id);
