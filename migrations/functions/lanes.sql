-- Opens a lane for a claim: the worker is registered, and no other claim is in this lane until the
-- transaction ends. False if the lane is gone, or another session has locked it and `p_wait` is false.
create or replace function pgjobq.open_lane(p_shard smallint, p_queue int, p_worker bigint, p_wait boolean)
returns boolean
language plpgsql as $$
begin
    if current_setting('transaction_isolation') <> 'read committed' then
        raise exception 'a claim needs READ COMMITTED: an older snapshot would not see the latest leases';
    end if;
    perform 1 from pgjobq.workers where shard = p_shard and id = p_worker for key share;
    if not found then
        raise exception 'worker % is not registered', p_worker using errcode = 'PJ001';
    end if;
    -- step: worker locked
    if p_wait then
        perform 1 from pgjobq.lanes where shard = p_shard and queue_id = p_queue for update;
    else
        perform 1 from pgjobq.lanes where shard = p_shard and queue_id = p_queue for update skip locked;
    end if;
    return found;
end $$;

comment on function pgjobq.open_lane is 'Internal. Locks a lane for a claim.';

-- The tickets above `p_above` that leases of this priority cover. Under the lane's lock, and in a snapshot of
-- its own, it sees every lease.
create or replace function pgjobq.leased_tickets(p_shard smallint, p_queue int, p_priority int,
                                                 p_above bigint)
returns int8multirange language plpgsql as $$
begin
    return (select range_agg(l.tickets)
              from (select tickets from pgjobq.leases
                     where shard = p_shard and queue_id = p_queue and priority = p_priority
                       and max_ticket > p_above
                     order by max_ticket offset 0) l);
end $$;

comment on function pgjobq.leased_tickets is 'Internal. The tickets of one line that leases cover.';
