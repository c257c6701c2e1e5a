-- Records that the worker lives, and lists its leases. `alive` is false if the worker was given up: then it
-- holds nothing any more. `ages` are in microseconds.
create or replace function pgjobq.heartbeat(
    p_shard smallint, p_worker bigint,
    out alive boolean, out queues int[], out priorities smallint[], out max_tickets bigint[],
    out ids bigint[], out ages bigint[])
language plpgsql as $$
declare
    v_now timestamptz := clock_timestamp();
begin
    update pgjobq.workers set beats = beats + 1, seen_at = v_now where shard = p_shard and id = p_worker;
    alive := found;
    -- step: seen
    select array_agg(queue_id), array_agg(priority), array_agg(max_ticket), array_agg(id),
           -- Claimed in the future: the clock was set back since, and the claim's answer is not on its way
           -- any more.
           array_agg((abs(extract(epoch from clock_timestamp() - claimed_at)) * 1000000)::bigint)
      into queues, priorities, max_tickets, ids, ages
      from (select queue_id, priority, max_ticket, id, claimed_at from pgjobq.leases
             where shard = p_shard and worker >= p_worker and worker <= p_worker
             order by worker offset 0) l;
end $$;

comment on function pgjobq.heartbeat is 'Internal. Records that a worker lives, and lists its leases.';
