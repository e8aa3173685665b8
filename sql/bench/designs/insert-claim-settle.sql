-- Floor "insert-claim-settle", on the table of bare-claim.sql (load that first): the raw work of a fan-out.
create function add_tasks(p_count integer) returns void language plpgsql as $$
begin
  insert into task (queue_id, ready_at) select 1, clock_timestamp() from generate_series(1, p_count);
end $$;
-- What was inserted and is gone.
create or replace function progress() returns bigint language sql stable as $$
  select coalesce(pg_sequence_last_value(pg_get_serial_sequence('task', 'task_id')), 0) - count(*) from task
$$;
