-- Looks without touching: up to `p_want` tickets in (low, high] of each priority, the highest first, that nobody holds. No
-- lock, no transaction id, and no WAL but for hint bits. `reach` is how far each priority has been looked through: `high`,
-- or as far as tickets have been drawn where that is the highest number, unless the bound on the walk ended it; then the
-- next peek goes on from there. (Below any other `high`, what has been drawn says nothing: the sequence may have been set
-- back, and a sweep that never reaches its end never looks again at what it has passed. With the highest `high` it lets a guess
-- come down again: then `reach` is below `p_low`.)
-- `quarantined`: whether a quarantined job waits in the bounded walk above `p_quarantine`; if none does, `quarantine` is where
-- the next walk begins. (No column is called `found`, which is a variable of every plpgsql function.)
create or replace function pgjobq.peek(
    p_shard smallint, p_queue int, p_kinds text[], p_want int, p_low bigint[], p_high bigint[],
    p_quarantine bigint[],
    out tickets bigint[], out priorities smallint[], out reach bigint[], out quarantined boolean, out quarantine bigint[])
language plpgsql stable as $$
#variable_conflict use_column
declare
    c_walk constant int := 20000;
    c_top constant bigint := 9223372036854775807;
    c_quarantine constant int := 5000;   -- as far as a claim of quarantined jobs looks
    v_now timestamptz := clock_timestamp();
    v_leased int8multirange;
    v_left int := p_want;
    v_free bigint[];
    v_drawn bigint := coalesce(pg_sequence_last_value('pgjobq.ticket'), 0);
begin
    reach := array(select case when high < c_top then low else least(low, v_drawn) end from unnest(p_low, p_high) b(low, high));
    quarantined := false;
    quarantine := array[0, 0, 0, 0];
    if exists (select 1
                 from generate_series(0, 3) p(priority),
                      lateral (select 1 from pgjobq.jobs
                                where shard = p_shard and queue_id = p_queue and priority = p.priority
                                  and ticket is not null and crashes > 0
                                order by ticket limit 1) first) then
        for priority_ in 0..3 loop
            v_leased := pgjobq.leased_tickets(p_shard, p_queue, priority_, p_quarantine[priority_ + 1]);
            quarantined := exists (
                select 1 from (select ticket, kind, expires_at from pgjobq.jobs
                                where shard = p_shard and queue_id = p_queue and priority = priority_
                                  and ticket is not null and crashes > 0 and ticket > p_quarantine[priority_ + 1]
                                order by ticket limit c_quarantine) line
                 where line.kind = any (p_kinds) and (line.expires_at is null or line.expires_at > v_now)
                   and (v_leased is null or not v_leased @> line.ticket));
            if quarantined then
                quarantine := p_quarantine;
                exit;
            end if;
            quarantine[priority_ + 1] := pgjobq.end_of_quarantine_walk(
                p_shard, p_queue, priority_, p_quarantine[priority_ + 1], c_quarantine);
        end loop;
    end if;
    for priority_ in reverse 3..0 loop
        continue when p_low[priority_ + 1] >= p_high[priority_ + 1];
        v_leased := pgjobq.leased_tickets(p_shard, p_queue, priority_, p_low[priority_ + 1]);
        select array_agg(ticket) into v_free
          from (select ticket
                  from (select ticket, kind, expires_at from pgjobq.jobs
                         where shard = p_shard and queue_id = p_queue and priority = priority_
                           and ticket is not null and crashes = 0
                           and ticket > p_low[priority_ + 1] and ticket <= p_high[priority_ + 1]
                         order by ticket limit v_left + c_walk) line
                 where (v_leased is null or not v_leased @> ticket)
                   and kind = any (p_kinds) and (expires_at is null or expires_at > v_now)
                 order by ticket limit v_left) free;
        if coalesce(cardinality(v_free), 0) = v_left then
            reach[priority_ + 1] := v_free[v_left];
        else
            reach[priority_ + 1] := coalesce(
                (select ticket from pgjobq.jobs
                  where shard = p_shard and queue_id = p_queue and priority = priority_
                    and ticket is not null and crashes = 0
                    and ticket > p_low[priority_ + 1] and ticket <= p_high[priority_ + 1]
                  order by ticket offset v_left + c_walk - 1 limit 1),
                case when p_high[priority_ + 1] < c_top then p_high[priority_ + 1] else v_drawn end);
        end if;
        if v_free is not null then
            tickets := tickets || v_free;
            priorities := priorities || array_fill(priority_::smallint, array[cardinality(v_free)]);
            v_left := v_left - cardinality(v_free);
            exit when v_left = 0;
        end if;
    end loop;
end $$;
