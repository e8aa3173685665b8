-- Added to a design: one statement, and one commit, that settles the last batch and claims the next one.
create function settle_and_claim(p_session bigint, p_tasks bigint[], p_fences bigint[], p_outputs text[], p_queue integer, p_limit integer,
  out kept bigint, out n integer, out tasks bigint[], out fences bigint[])
language plpgsql as $$
begin
  kept := settle(p_session, p_tasks, p_fences, p_outputs);
  select c.n, c.tasks, c.fences into n, tasks, fences from claim(p_session, p_queue, p_limit) c;
end $$;
