-- Looks for free tickets without touching anything: no lock, no transaction id, and no WAL but for hint bits.

-- Finds at most `p_want` tickets in (low, high] of each priority, the highest priority first, that no lease
-- covers.
--   scanned_to    how far each line was walked: up to `high` or, where that is the highest number, up to the
--                 last ticket drawn, unless the walk was cut short. Then the next peek goes on from there.
--   quarantined   whether a quarantined job waits in a bounded walk above `p_quarantine`
--   quarantine    where the next walk through the quarantine begins, if none does
--   pauses        false if no pause concerns the lane, true if one does; then jobs of paused kinds and keys
--                 are passed over
--   paused        the queue is paused: nothing was looked at
-- Below any other `high` the last ticket drawn means nothing: the sequence may have been set back, and a
-- sweep that never reaches its end never looks again at the tickets that it passed. With the highest `high` a
-- scan hint may come down: then `scanned_to` is below `p_low`. (No column is called `found`, which is a
-- variable of every plpgsql function.)
create or replace function pgjobq.peek(
    p_shard smallint, p_queue int, p_kinds text[], p_want int, p_low bigint[], p_high bigint[],
    p_quarantine bigint[], p_filter pgjobq.job_filter default null,
    out tickets bigint[], out priorities smallint[], out scanned_to bigint[], out quarantined boolean,
    out quarantine bigint[], out pauses boolean, out paused boolean)
language plpgsql stable as $$
declare
    v_walk int := 20000;
    c_top constant bigint := 9223372036854775807;
    v_drawn bigint := coalesce(pg_sequence_last_value('pgjobq.ticket'), 0);
    v_left int := p_want;
    v_leased int8multirange;
    v_free bigint[];
    v_pauses pgjobq.pauses_of_lane;
begin
    if p_filter.path is not null then
        v_walk := pgjobq.rows_to_walk(20000, p_filter);
        p_filter := pgjobq.with_queue(p_filter, p_queue);
    end if;
    v_pauses := pgjobq.pauses_seen(p_shard, p_queue);
    pauses := v_pauses.queue is not null;
    paused := v_pauses.queue is true;
    if paused then
        scanned_to := p_low; quarantined := false; quarantine := p_quarantine;
        return;
    end if;
    p_kinds := pgjobq.kinds_without(p_kinds, v_pauses.kinds);
    scanned_to := array(select case when high < c_top then low else least(low, v_drawn) end
                          from unnest(p_low, p_high) bounds(low, high));
    select q.waits, q.next into quarantined, quarantine
      from pgjobq.peek_quarantine(p_shard, p_queue, p_kinds, v_pauses.keys, p_filter, p_quarantine) q;
    for n in reverse 4..1 loop
        continue when p_low[n] >= p_high[n];
        v_leased := pgjobq.leased_tickets(p_shard, p_queue, n - 1, p_low[n]);
        v_free := array(
            select j.ticket from pgjobq.ready_jobs(
                p_shard, p_queue, n - 1, p_low[n:n], p_high[n:n], v_left + v_walk, v_leased, p_kinds,
                v_pauses.keys, p_filter) j
             limit v_left);
        scanned_to[n] := case
            when cardinality(v_free) = v_left then v_free[v_left]
            else coalesce((select t.ticket from pgjobq.end_of_walk(
                              p_shard, p_queue, n - 1, p_low[n], v_left + v_walk, p_high[n]) t),
                          case when p_high[n] < c_top then p_high[n] else v_drawn end) end;
        tickets := tickets || v_free;
        priorities := priorities || array_fill((n - 1)::smallint, array[cardinality(v_free)]);
        v_left := v_left - cardinality(v_free);
        exit when v_left = 0;
    end loop;
end $$;

comment on function pgjobq.peek is 'Internal. Finds free tickets without touching anything.';

-- Detects whether a quarantined job waits in a bounded walk above `p_from`.
create or replace function pgjobq.peek_quarantine(
    p_shard smallint, p_queue int, p_kinds text[], p_paused_keys text[], p_filter pgjobq.job_filter,
    p_from bigint[], out waits boolean, out next bigint[])
language plpgsql stable as $$
declare
    v_walk int := 5000;    -- as far as a claim of quarantined jobs looks
    v_leased int8multirange;
begin
    waits := false;
    next := array[0, 0, 0, 0];
    -- Mostly the quarantine is empty, and no lease is read.
    if not exists (select from generate_series(0, 3) priority,
                               lateral pgjobq.quarantine_line(p_shard, p_queue, priority, 0, 1)) then
        return;
    end if;
    if p_filter.path is not null then
        v_walk := pgjobq.rows_to_walk(5000, p_filter);
    end if;
    for n in 1..4 loop
        v_leased := pgjobq.leased_tickets(p_shard, p_queue, n - 1, p_from[n]);
        if exists (select from pgjobq.quarantined_jobs(
                p_shard, p_queue, n - 1, p_from[n], v_walk, v_leased, p_kinds, p_paused_keys, p_filter,
                null)) then
            waits := true;
            next := p_from;
            return;
        end if;
        next[n] := pgjobq.end_of_quarantine_walk(p_shard, p_queue, n - 1, p_from[n], v_walk);
    end loop;
end $$;

comment on function pgjobq.peek_quarantine is 'Internal. Detects whether a quarantined job waits.';
