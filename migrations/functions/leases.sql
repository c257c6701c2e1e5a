-- Locks the jobs that still have a ticket of a lease. `skipped` is how many of them another session has
-- locked, and null if that is none.
create or replace function pgjobq.lock_jobs_of_lease(
    p_shard smallint, p_queue int, p_priority smallint, p_tickets int8multirange,
    out ids uuid[], out held bigint[], out skipped bigint)
language plpgsql as $$
declare
    v_listed uuid[];
    v_tickets bigint[];
    v_ticket bigint;
begin
    select l.ids, l.held into v_listed, v_tickets
      from pgjobq.jobs_of_lease(p_shard, p_queue, p_priority, p_tickets) l;
    ids := '{}';
    held := '{}';
    for i in 1..cardinality(v_listed) loop
        -- By id alone: with the ticket as well, the planner may walk the other index.
        select ticket into v_ticket from pgjobq.jobs
         where shard = p_shard and id = v_listed[i] for update skip locked;
        if not found then
            skipped := coalesce(skipped, 0) + 1;
        elsif v_ticket = v_tickets[i] then
            ids := ids || v_listed[i];
            held := held || v_ticket;
        end if;
    end loop;
end $$;

comment on function pgjobq.lock_jobs_of_lease is
    'Internal. Locks the jobs that still have a ticket of a lease.';

-- The jobs that still have a ticket of a lease, in the order of their id.
create or replace function pgjobq.jobs_of_lease(
    p_shard smallint, p_queue int, p_priority smallint, p_tickets int8multirange, out ids uuid[],
    out held bigint[])
language plpgsql as $$
begin
    select coalesce(array_agg(j.id order by j.id), '{}'), coalesce(array_agg(j.ticket order by j.id), '{}')
      into ids, held
      from unnest(p_tickets) r(tickets),
           lateral ((select id, ticket from pgjobq.jobs
                      where shard = p_shard and queue_id = p_queue and priority = p_priority
                        and ticket is not null
                        and crashes = 0 and ticket >= lower(r.tickets) and ticket < upper(r.tickets)
                      order by ticket offset 0)
                    union all
                    (select id, ticket from pgjobq.jobs
                      where shard = p_shard and queue_id = p_queue and priority = p_priority
                        and ticket is not null
                        and crashes > 0 and ticket >= lower(r.tickets) and ticket < upper(r.tickets)
                      order by ticket offset 0)) j;
end $$;

comment on function pgjobq.jobs_of_lease is 'Internal. The jobs that still have a ticket of a lease.';

-- The jobs of a shard that run: those of all its leases.
create or replace function pgjobq.running_jobs(p_shard smallint) returns uuid[] language plpgsql stable as $$
begin
    return array(select unnest(h.ids)
                   from pgjobq.leases l,
                        lateral pgjobq.jobs_of_lease(l.shard, l.queue_id, l.priority, l.tickets) h
                  where l.shard = p_shard);
end $$;

comment on function pgjobq.running_jobs is 'Internal. The jobs of a shard that run.';
