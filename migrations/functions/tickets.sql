-- Draws tickets. (In an UPDATE, a volatile function could not be distributed.)
create or replace function pgjobq.draw_tickets(p_count int) returns bigint[] language plpgsql as $$
begin
    return array(select nextval('pgjobq.ticket') from generate_series(1, p_count));
end $$;

comment on function pgjobq.draw_tickets is 'Internal. Draws tickets.';

-- Advances the sequence of tickets beyond every ticket that a job or a lease has, if it was set back: a
-- restored dump, or a logical replica that was promoted, may have an old value. Then a new job would get a
-- ticket that an old lease covers. Returns the value before, and the highest ticket; null if all is well.
--
-- `setval` is not transactional, and nothing prevents other sessions from drawing meanwhile. They cannot draw
-- as many tickets between the two reads of the last statement as it leaves out.
create or replace function pgjobq.repair_tickets(out set_back bigint, out highest bigint) language plpgsql
    security definer set search_path = pg_catalog, pg_temp as $$
declare
    -- more than a sequence ever draws: a row with a higher ticket was written by hand
    c_by_hand constant bigint := 4611686018427387904;
    c_left_out constant bigint := 1000000000;
    v_drawn bigint;
begin
    select max(t.ticket) into highest
      from pgjobq.lanes l, generate_series(0, 3) p(priority),
           lateral ((select j.ticket from pgjobq.jobs j
                      where j.shard = l.shard and j.queue_id = l.queue_id and j.priority = p.priority
                        and j.ticket is not null
                        and j.crashes = 0 and j.ticket < c_by_hand
                      order by j.ticket desc limit 1)
                    union all
                    (select j.ticket from pgjobq.jobs j
                      where j.shard = l.shard and j.queue_id = l.queue_id and j.priority = p.priority
                        and j.ticket is not null
                        and j.crashes > 0 and j.ticket < c_by_hand
                      order by j.ticket desc limit 1)
                    union all
                    (select s.max_ticket from pgjobq.leases s
                      where s.shard = l.shard and s.queue_id = l.queue_id and s.priority = p.priority
                        and s.max_ticket < c_by_hand
                      order by s.max_ticket desc limit 1)) t(ticket);
    v_drawn := coalesce(pg_sequence_last_value('pgjobq.ticket'), 0);
    if highest > v_drawn then
        -- Another session may have found the same, and repaired it.
        perform pg_advisory_xact_lock(hashtext('pgjobq.repair_tickets'));
        v_drawn := coalesce(pg_sequence_last_value('pgjobq.ticket'), 0);
    end if;
    if highest is null or highest <= v_drawn then
        highest := null;
        return;
    end if;
    set_back := v_drawn;
    perform setval('pgjobq.ticket', greatest(highest, pg_sequence_last_value('pgjobq.ticket')) + c_left_out);
end $$;

comment on function pgjobq.repair_tickets is 'Internal. Advances the sequence of tickets if it was set back.';

revoke execute on function pgjobq.repair_tickets from public;
