-- Claim: ready -> running. No job's row is touched: one lease row covers the whole batch.

-- Claims up to `p_want` jobs of the kinds that the worker knows, the highest priority first, and among equals the oldest.
-- `p_near` is the worker's guess, for each priority, of where the waiting jobs begin; with `p_found` it names the tickets
-- that a peek found instead (`p_found_priority` says of which priority each is). `p_lease` is made by the worker, at random,
-- and remembered before the call is sent. `reach` is, for each priority, how far the line has been looked through, and never
-- above the tickets that have been drawn. Jobs that were left (`more`) are above it. With `p_found` nothing is looked through, and
-- it stays `p_near`.
-- It stops when the arguments that it returns pass `p_bytes`; the first job is always taken. Of the kinds in `p_scarce` it
-- takes at most `p_scarce_want`. `more`: it left jobs for one of these two reasons. `opened`: false if another session holds the
-- lane. With `p_bare` the arguments are null; `read_args` reads them.
-- The order of the steps is the protocol: lock the lane, then read the leases, then take what none covers.
create or replace function pgjobq.claim(
    p_shard smallint, p_queue int, p_worker bigint, p_lease bigint, p_wait boolean, p_kinds text[], p_want int,
    p_near bigint[], p_found bigint[], p_found_priority smallint[],
    p_bytes bigint default 8388608, p_scarce text[] default '{}', p_scarce_want int default 0, p_bare boolean default false,
    out ids uuid[], out kinds text[], out args text[], out priorities smallint[], out tickets bigint[], out attempts int[],
    out failures smallint[], out retries smallint[], out crash_budgets smallint[], out metas text[], out reach bigint[],
    out opened boolean, out more boolean)
language plpgsql set lock_timeout = '1s' as $$
#variable_conflict use_column
declare
    c_walk constant int := 5000;   -- how many rows that are not for us a claim may pass while it holds the lane
    c_large constant int := 2000;  -- stored arguments above this are not in the row itself; they are printed one at a time
    v_drawn bigint := coalesce(pg_sequence_last_value('pgjobq.ticket'), 0);
    v_now timestamptz;
    v_leased int8multirange;
    v_found bigint[];
    v_low bigint;
    v_left int := p_want;
    v_room bigint := p_bytes;
    v_scarce_left int := p_scarce_want;   -- of all priorities
    v_durable boolean := false;
    v_trim record;
    r record;
begin
    reach := array[least(p_near[1], v_drawn), least(p_near[2], v_drawn), least(p_near[3], v_drawn), least(p_near[4], v_drawn)];
    more := false;
    opened := pgjobq.open_lane(p_shard, p_queue, p_worker, p_wait);
    if not opened then
        return;
    end if;
    v_now := clock_timestamp();
    -- step: lane locked
    for priority_ in reverse 3..0 loop
        v_found := null;
        v_low := p_near[priority_ + 1];
        if p_found is not null then
            select array_agg(distinct t order by t), min(t) - 1 into v_found, v_low
              from unnest(p_found, p_found_priority) f(t, p) where p = priority_;
            continue when v_found is null;
        end if;
        v_leased := pgjobq.leased_tickets(p_shard, p_queue, priority_, v_low);
        -- step: leases read
        if v_found is null then
            -- The inner limit bounds the walk. What filters stands outside of it, so that a million rows which are not for
            -- us do not hold the lane.
            select array_agg(j.id) as ids, array_agg(j.kind) as kinds,
                   array_agg(case when pg_column_size(j.args) <= c_large and not p_bare then j.args::text end) as args,
                   array_agg(j.ticket) as tickets, array_agg(j.attempt) as attempts, array_agg(j.failures) as failures,
                   array_agg(j.retries) as retries, array_agg(j.crash_budget) as crash_budgets,
                   array_agg(case when not p_bare then j.meta::text end) as metas,
                   range_agg(int8range(j.ticket, j.ticket, '[]')) as covered, max(j.ticket) as hi,
                   count(*)::int as taken, min(j.crash_budget) = 0 as durable
              into r
              from (select *
                      from (select id, ticket, kind, args, attempt, failures, retries, crash_budget, meta, expires_at
                              from pgjobq.jobs
                             where shard = p_shard and queue_id = p_queue and priority = priority_
                               and ticket is not null and crashes = 0 and ticket > v_low
                             order by ticket limit v_left + c_walk) line
                     where (v_leased is null or not v_leased @> ticket)
                       and kind = any (p_kinds) and (expires_at is null or expires_at > v_now)
                     order by ticket limit v_left) j;
            if r.taken < v_left then
                reach[priority_ + 1] := least(v_drawn, coalesce(
                    (select ticket from pgjobq.jobs
                      where shard = p_shard and queue_id = p_queue and priority = priority_
                        and ticket is not null and crashes = 0 and ticket > v_low
                      order by ticket offset v_left + c_walk - 1 limit 1), v_drawn));
            else
                reach[priority_ + 1] := least(v_drawn, r.hi);
            end if;
        else
            -- Each probe asks for an order that only the line's index has. With `ticket = f.wanted` the planner read the
            -- whole shard for each ticket, where the table was analysed with one row and then filled.
            select array_agg(j.id) as ids, array_agg(j.kind) as kinds,
                   array_agg(case when pg_column_size(j.args) <= c_large and not p_bare then j.args::text end) as args,
                   array_agg(j.ticket) as tickets, array_agg(j.attempt) as attempts, array_agg(j.failures) as failures,
                   array_agg(j.retries) as retries, array_agg(j.crash_budget) as crash_budgets,
                   array_agg(case when not p_bare then j.meta::text end) as metas,
                   range_agg(int8range(j.ticket, j.ticket, '[]')) as covered, max(j.ticket) as hi,
                   count(*)::int as taken, min(j.crash_budget) = 0 as durable
              into r
              from (select line.*
                      from unnest(v_found) f(wanted),
                           lateral (select id, ticket, kind, args, attempt, failures, retries, crash_budget, meta, expires_at
                                      from pgjobq.jobs
                                     where shard = p_shard and queue_id = p_queue and priority = priority_
                                       and ticket is not null and crashes = 0
                                       and ticket >= f.wanted and ticket <= f.wanted
                                     order by ticket offset 0) line
                     where (v_leased is null or not v_leased @> ticket)
                       and kind = any (p_kinds) and (expires_at is null or expires_at > v_now)
                     limit v_left) j;
        end if;
        if (not p_bare and array_position(r.args, null) is not null)
           or (v_scarce_left < r.taken and r.kinds && p_scarce) then
            select * into v_trim
              from pgjobq.trim_claim(p_shard, r.ids, r.kinds, r.args, r.tickets, p_bare, v_room, p_scarce, v_scarce_left);
            v_room := v_room - v_trim.bytes;
            r.args := v_trim.args;
            if v_trim.dropped is not null then
                more := true;
                r.taken := cardinality(v_trim.kept);
                r.ids := array(select r.ids[k] from unnest(v_trim.kept) k);
                r.kinds := array(select r.kinds[k] from unnest(v_trim.kept) k);
                r.tickets := array(select r.tickets[k] from unnest(v_trim.kept) k);
                r.attempts := array(select r.attempts[k] from unnest(v_trim.kept) k);
                r.failures := array(select r.failures[k] from unnest(v_trim.kept) k);
                r.retries := array(select r.retries[k] from unnest(v_trim.kept) k);
                r.crash_budgets := array(select r.crash_budgets[k] from unnest(v_trim.kept) k);
                r.metas := array(select r.metas[k] from unnest(v_trim.kept) k);
                select range_agg(int8range(t, t, '[]')), max(t) into r.covered, r.hi from unnest(r.tickets) t;
                if v_found is null then
                    reach[priority_ + 1] := least(reach[priority_ + 1], v_trim.dropped - 1);
                end if;
            end if;
        end if;
        if r.taken > 0 then
            insert into pgjobq.leases (shard, queue_id, priority, hi, id, worker, tickets)
            values (p_shard, p_queue, priority_, r.hi, p_lease, p_worker, r.covered);
            ids := ids || r.ids; kinds := kinds || r.kinds; args := args || r.args; tickets := tickets || r.tickets;
            priorities := priorities || array_fill(priority_::smallint, array[r.taken]);
            attempts := attempts || r.attempts; failures := failures || r.failures; retries := retries || r.retries;
            crash_budgets := crash_budgets || r.crash_budgets; metas := metas || r.metas;
            if v_scarce_left > 0 and r.kinds && p_scarce then
                v_scarce_left := v_scarce_left - (select count(*)::int from unnest(r.kinds) k where k = any (p_scarce));
            end if;
            v_durable := v_durable or r.durable;
            v_left := v_left - r.taken;
            -- step: lease inserted
        end if;
        exit when v_left = 0 or more;
    end loop;
    -- Losing a claim in a crash of the database only redelivers its jobs, which one without a crash budget must not be.
    if not v_durable then
        perform set_config('synchronous_commit', 'off', true);
    end if;
end $$;

-- Cuts what a claim has found: after the job with whose arguments, as text, `p_room` bytes are reached, and to `p_scarce_want`
-- jobs of the kinds `p_scarce`. Prints the arguments that are still null, one job at a time, so that what does not fit is not
-- printed. `kept` has places in the arrays; `dropped` is the lowest ticket that was left, or null.
create or replace function pgjobq.trim_claim(
    p_shard smallint, p_ids uuid[], p_kinds text[], p_args text[], p_tickets bigint[], p_bare boolean, p_room bigint,
    p_scarce text[], p_scarce_want int,
    out kept int[], out args text[], out bytes bigint, out dropped bigint)
language plpgsql as $$
declare
    v_text text;
    v_scarce int := 0;
begin
    kept := '{}';
    args := '{}';
    bytes := 0;
    for i in 1..cardinality(p_ids) loop
        if bytes >= p_room then
            dropped := least(dropped, p_tickets[i]);
            exit;
        end if;
        if p_kinds[i] = any (p_scarce) then
            if v_scarce >= p_scarce_want then
                dropped := least(dropped, p_tickets[i]);
                continue;
            end if;
            v_scarce := v_scarce + 1;
        end if;
        v_text := p_args[i];
        if v_text is null and not p_bare then
            select j.args::text into v_text from pgjobq.jobs j where j.shard = p_shard and j.id = p_ids[i];
        end if;
        kept := kept || i;
        args := args || v_text;
        bytes := bytes + coalesce(octet_length(v_text), 0);
    end loop;
end $$;
