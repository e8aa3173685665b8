-- I15: losses stay within their cap
-- proves: a step whose workers keep dying ends as poison instead of being tried for ever
-- remedy: report it
select run_id, path, losses from skein.task where losses > 5
union all
select run_id, path, losses from skein.step where losses > 6;
