-- I5: a committed result carries the highest fence ever granted for its path
-- proves: no worker that had lost its lease got its result in after a later one was granted
-- remedy: report it with the rows; the result may be a zombie's
select s.run_id, s.path, s.fence, max(a.fence) as later_fence
  from skein.step s join skein.attempt a using (run_id, path)
 where s.fence is not null and skein.is_checked_v1(a.run_id)
 group by s.run_id, s.path, s.fence
having max(a.fence) > s.fence;
