-- Gives back a lease whose claim's answer never arrived: its jobs are as if they had never been claimed. (A locked row is
-- about to be completed after all, by an attempt that this worker has given up. Then the lease stays.)
create or replace function pgjobq.return_lease(
    p_shard smallint, p_worker bigint, p_queue int, p_priority smallint, p_hi bigint, p_id bigint) returns int
language plpgsql as $$
declare
    v_tickets int8multirange;
    v_jobs uuid[];
    v_held bigint[];
    v_kept bigint;
    v_new bigint[];
begin
    select tickets into v_tickets from pgjobq.leases
     where shard = p_shard and queue_id = p_queue and priority = p_priority and hi = p_hi and id = p_id and worker = p_worker
       for update skip locked;
    if not found then
        return 0;
    end if;
    -- step: lease locked
    select l.ids, l.held, l.kept into v_jobs, v_held, v_kept from pgjobq.lock_jobs_of_lease(p_shard, p_queue, p_priority, v_tickets) l;
    v_new := pgjobq.draw_tickets(cardinality(v_jobs));
    update pgjobq.jobs j set ticket = mine.new_ticket
      from (select x.ctid, d.id, d.ticket, v_new[d.place] as new_ticket
              from unnest(v_jobs, v_held) with ordinality d(id, ticket, place),
                   lateral (select ctid, ticket from pgjobq.jobs where shard = p_shard and id = d.id offset 0) x
             where x.ticket = d.ticket
            offset 0) mine
     where j.ctid = mine.ctid and j.shard = p_shard and j.id = mine.id and j.ticket = mine.ticket;
    -- step: jobs written
    if v_kept is null then
        delete from pgjobq.leases
         where shard = p_shard and queue_id = p_queue and priority = p_priority and hi = p_hi and id = p_id;
    end if;
    return cardinality(v_jobs);
end $$;

-- Returns the leases that one claim has made, whose answer was lost. Under the lane's lock no claim is in the middle of making one;
-- one that has not begun yet may still come, so the worker asks again.
create or replace function pgjobq.return_claim(p_shard smallint, p_queue int, p_worker bigint, p_lease bigint) returns int
language plpgsql set lock_timeout = '1s' as $$
declare
    v_jobs int := 0;
    r record;
begin
    perform 1 from pgjobq.lanes where queue_id = p_queue and shard = p_shard for update;
    for r in
        select priority, hi
          from (select queue_id, priority, hi, id from pgjobq.leases
                 where shard = p_shard and worker >= p_worker and worker <= p_worker
                 order by worker offset 0) l
         where id = p_lease and queue_id = p_queue
         order by priority, hi
    loop
        v_jobs := v_jobs + pgjobq.return_lease(p_shard, p_worker, p_queue, r.priority, r.hi, p_lease);
    end loop;
    return v_jobs;
end $$;
