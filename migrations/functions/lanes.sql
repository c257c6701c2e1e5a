-- Opens a lane for a claim: the worker is registered, and no other claim is in this lane until the
-- transaction ends. It is not `opened` if the lane is gone, if another session has locked it and `p_wait` is
-- false, or if its queue is `paused`. Returns those of `p_kinds` that are not paused, and the paused keys.
-- `marked_in_vain`: the lane `may_be_paused`, and no pause concerns it.
create or replace function pgjobq.open_lane(
    p_shard smallint, p_queue int, p_worker bigint, p_wait boolean, p_kinds text[])
returns pgjobq.opened_lane language plpgsql as $$
declare
    v_may_be_paused boolean;
    v_pauses pgjobq.pauses_of_lane;
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
        select may_be_paused into v_may_be_paused from pgjobq.lanes
         where shard = p_shard and queue_id = p_queue for update;
    else
        select may_be_paused into v_may_be_paused from pgjobq.lanes
         where shard = p_shard and queue_id = p_queue for update skip locked;
    end if;
    if v_may_be_paused then
        v_pauses := pgjobq.pauses_of_queue(p_queue);
        -- step: pauses read
        return (v_pauses.queue is not true, v_pauses.queue, pgjobq.kinds_without(p_kinds, v_pauses.kinds),
                v_pauses.keys, v_pauses.queue is null)::pgjobq.opened_lane;
    end if;
    return (v_may_be_paused is not null, false, p_kinds, null, false)::pgjobq.opened_lane;
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
