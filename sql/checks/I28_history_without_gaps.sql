-- I28: the history of a run has no gaps
-- proves: every row of a run's history was written by the transaction that numbered it
-- remedy: report it with the run's history_overview
select r.run_id, r.history_length, count(h.seq) as rows, max(h.seq) as highest
  from (select run_id, history_length from skein.run union all select run_id, history_length from skein.ended_run) r
  join skein.history_overview h using (run_id)
 where skein.is_checked_v1(r.run_id) and skein.is_checked_v1(h.run_id)
 group by r.run_id, r.history_length
having count(h.seq) <> r.history_length or max(h.seq) <> r.history_length or count(distinct h.seq) <> count(h.seq);
