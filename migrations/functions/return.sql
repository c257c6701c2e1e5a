-- Returns leases whose claim's answer never arrived: the jobs are as if they had never been claimed.

-- Returns one lease. If another session has locked one of its jobs, an attempt that this worker has given up
-- is about to complete it after all; then the lease stays. `returned` is the number of the other jobs. Those
-- of them that someone requested to cancel are cancelled, and returned in `cancelled`.
create or replace function pgjobq.return_lease(
    p_shard smallint, p_worker bigint, p_queue int, p_priority smallint, p_max_ticket bigint, p_id bigint,
    out returned int, out cancelled uuid[])
language plpgsql as $$
declare
    v_tickets int8multirange;
    v_jobs record;
begin
    returned := 0;
    select tickets into v_tickets from pgjobq.leases
     where shard = p_shard and queue_id = p_queue and priority = p_priority
       and max_ticket >= p_max_ticket and max_ticket <= p_max_ticket and id = p_id and worker = p_worker
     order by max_ticket for update skip locked;
    if not found then
        return;
    end if;
    -- step: lease locked
    select * into v_jobs from pgjobq.lock_jobs_of_lease(p_shard, p_queue, p_priority, v_tickets);
    perform pgjobq.put_back(p_shard, null, v_jobs.ids, v_jobs.held,
                            array_fill('return'::text, array[cardinality(v_jobs.ids)]));
    -- step: jobs written
    if exists (select from pgjobq.cancels where shard = p_shard) then
        cancelled := pgjobq.end_flagged(p_shard, v_jobs.ids);
    end if;
    if v_jobs.skipped is null then
        delete from pgjobq.leases
         where shard = p_shard and queue_id = p_queue and priority = p_priority and max_ticket = p_max_ticket;
    end if;
    returned := cardinality(v_jobs.ids);
end $$;

comment on function pgjobq.return_lease is 'Internal. Returns a lease whose claim''s answer was lost.';

-- Returns the leases that one claim has made, whose answer was lost. Under the lane's lock no claim is in the
-- middle of making one. A claim that has not begun yet may still come, so the worker asks again.
create or replace function pgjobq.return_claim(
    p_shard smallint, p_queue int, p_worker bigint, p_lease bigint, out returned int, out cancelled uuid[])
language plpgsql set lock_timeout = '1s' as $$
declare
    r record;
begin
    returned := 0;
    perform from pgjobq.lanes where queue_id = p_queue and shard = p_shard for update;
    for r in
        select priority, max_ticket
          from (select queue_id, priority, max_ticket, id from pgjobq.leases
                 where shard = p_shard and worker >= p_worker and worker <= p_worker
                 order by worker offset 0) l
         where id = p_lease and queue_id = p_queue
         order by priority, max_ticket
    loop
        select return_claim.returned + l.returned, return_claim.cancelled || l.cancelled
          into returned, cancelled
          from pgjobq.return_lease(p_shard, p_worker, p_queue, r.priority, r.max_ticket, p_lease) l;
    end loop;
end $$;

comment on function pgjobq.return_claim is 'Internal. Returns the leases of a claim whose answer was lost.';
