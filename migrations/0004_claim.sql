-- Claim: ready -> running. No job's row is touched: one lease row covers the whole batch.
--
-- Plans are pinned, here and in the finish: only index scans and nested loops are left to the planner, because a queue's
-- table is mostly analysed when it is empty or full of dead rows. JIT is off with them, for a disabled node looks expensive
-- enough to compile.

-- Opens a lane for a claim: the worker is registered, and no other claim is in this lane until the transaction ends.
-- False when the worker is not registered (it was silent for too long), or the lane is gone, or busy and not waited for.
create function pgjobq.open_lane(p_shard smallint, p_queue int, p_worker bigint, p_wait boolean) returns boolean
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

-- The tickets from `p_above` on that live leases of this priority cover. Under the lane's lock, in a snapshot of its own, it
-- sees every lease that there is. The order by `hi`, here as wherever a table has a second index that begins with `shard`,
-- leaves the planner no other index than the one that is meant. Callers pin the plan.
create function pgjobq.leased_tickets(p_shard smallint, p_queue int, p_priority int, p_above bigint)
returns int8multirange language plpgsql as $$
begin
    return (select range_agg(l.tickets)
              from (select tickets from pgjobq.leases
                     where shard = p_shard and queue_id = p_queue and priority = p_priority and hi > p_above
                     order by hi offset 0) l);
end $$;

-- Claims up to `p_want` jobs of the kinds that the worker knows, the highest priority first, and among equals the oldest.
-- `p_near` is the worker's guess, for each priority, of where the waiting jobs begin; with `p_found` it names the tickets
-- that a peek found instead (`p_found_priority` says of which priority each is). `p_lease` is made by the worker, at random,
-- and remembered before the call is sent. `reach` is, for each priority, how far the line has been looked through.
-- The order of the steps is the protocol: lock the lane, then read the leases, then take what none covers.
create function pgjobq.claim(
    p_shard smallint, p_queue int, p_worker bigint, p_lease bigint, p_wait boolean, p_kinds text[], p_want int,
    p_near bigint[], p_found bigint[], p_found_priority smallint[],
    out ids uuid[], out kinds text[], out args text[], out priorities smallint[], out tickets bigint[], out attempts int[],
    out failures smallint[], out retries smallint[], out crash_budgets smallint[], out metas text[], out reach bigint[])
language plpgsql
    set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off
    set enable_sort = off set enable_memoize = off set jit = off
    set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
declare
    c_walk constant int := 5000;   -- how many rows that are not for us a claim may pass while it holds the lane
    v_drawn bigint := coalesce(pg_sequence_last_value('pgjobq.ticket'), 0);
    v_now timestamptz;
    v_leased int8multirange;
    v_found bigint[];
    v_low bigint;
    v_left int := p_want;
    v_covered int8multirange;
    v_durable boolean := false;
    r record;
begin
    reach := p_near;
    if not pgjobq.open_lane(p_shard, p_queue, p_worker, p_wait) then
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
            select array_agg(j.id) as ids, array_agg(j.kind) as kinds, array_agg(j.args::text) as args,
                   array_agg(j.ticket) as tickets, array_agg(j.attempt) as attempts, array_agg(j.failures) as failures,
                   array_agg(j.retries) as retries, array_agg(j.crash_budget) as crash_budgets,
                   array_agg(j.meta::text) as metas,
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
                reach[priority_ + 1] := coalesce(
                    (select ticket from pgjobq.jobs
                      where shard = p_shard and queue_id = p_queue and priority = priority_
                        and ticket is not null and crashes = 0 and ticket > v_low
                      order by ticket offset v_left + c_walk - 1 limit 1), greatest(v_low, v_drawn));
            else
                reach[priority_ + 1] := r.hi;
            end if;
        else
            -- Each probe asks for an order that only the line's index has. With `ticket = f.wanted` the planner read the
            -- whole shard for each ticket, where the table was analysed with one row and then filled.
            select array_agg(j.id) as ids, array_agg(j.kind) as kinds, array_agg(j.args::text) as args,
                   array_agg(j.ticket) as tickets, array_agg(j.attempt) as attempts, array_agg(j.failures) as failures,
                   array_agg(j.retries) as retries, array_agg(j.crash_budget) as crash_budgets,
                   array_agg(j.meta::text) as metas,
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
        if r.taken > 0 then
            insert into pgjobq.leases (shard, queue_id, priority, hi, id, worker, tickets)
            values (p_shard, p_queue, priority_, r.hi, p_lease, p_worker, r.covered);
            ids := ids || r.ids; kinds := kinds || r.kinds; args := args || r.args; tickets := tickets || r.tickets;
            priorities := priorities || array_fill(priority_::smallint, array[r.taken]);
            attempts := attempts || r.attempts; failures := failures || r.failures; retries := retries || r.retries;
            crash_budgets := crash_budgets || r.crash_budgets; metas := metas || r.metas;
            v_durable := v_durable or r.durable;
            v_left := v_left - r.taken;
            -- step: lease inserted
        end if;
        exit when v_left = 0;
    end loop;
    -- Losing a claim in a crash of the database only redelivers its jobs, which one without a crash budget must not be.
    if not v_durable then
        perform set_config('synchronous_commit', 'off', true);
    end if;
end $$;

-- Claims one suspect: a job that has been in a crash. Suspects stand in a line of their own, and a worker runs one at a
-- time, so that the guilty one cannot take its neighbors with it again. The steps are those of `claim`.
create function pgjobq.claim_suspect(
    p_shard smallint, p_queue int, p_worker bigint, p_lease bigint, p_kinds text[],
    out id uuid, out kind text, out args text, out priority smallint, out ticket bigint, out attempt int,
    out failures smallint, out retries smallint, out crash_budget smallint, out meta text)
language plpgsql
    set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off
    set enable_sort = off set enable_memoize = off set jit = off
    set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
declare
    v_leased int8multirange;
    v_first bigint;
    v_now timestamptz;
begin
    if not pgjobq.open_lane(p_shard, p_queue, p_worker, true) then
        return;
    end if;
    v_now := clock_timestamp();
    for priority_ in reverse 3..0 loop
        -- Mostly there is no suspect, and then no need to read leases. Where the line begins is only a guess here.
        select j.ticket - 1 into v_first from pgjobq.jobs j
         where j.shard = p_shard and j.queue_id = p_queue and j.priority = priority_
           and j.ticket is not null and j.crashes > 0
         order by j.ticket limit 1;
        continue when not found;
        v_leased := pgjobq.leased_tickets(p_shard, p_queue, priority_, v_first);
        -- step: leases read
        select line.id, line.kind, line.args::text, priority_, line.ticket, line.attempt, line.failures, line.retries,
               line.crash_budget, line.meta::text
          into id, kind, args, priority, ticket, attempt, failures, retries, crash_budget, meta
          from (select j.* from pgjobq.jobs j
                 where j.shard = p_shard and j.queue_id = p_queue and j.priority = priority_
                   and j.ticket is not null and j.crashes > 0 and j.ticket > v_first
                 order by j.ticket limit 5000) line
         where (v_leased is null or not v_leased @> line.ticket)
           and line.kind = any (p_kinds) and (line.expires_at is null or line.expires_at > v_now)
         order by line.ticket limit 1;
        if found then
            insert into pgjobq.leases (shard, queue_id, priority, hi, id, worker, tickets)
            values (p_shard, p_queue, priority_, ticket, p_lease, p_worker, int8multirange(int8range(ticket, ticket, '[]')));
            -- step: lease inserted
            return;
        end if;
    end loop;
end $$;

-- Looks without touching: up to `p_want` tickets in (low, high] of each priority, the highest first, that nobody holds. No
-- lock, no transaction id, and no WAL but for hint bits. `reach` is how far each priority has been looked through: `high`,
-- or as far as tickets have been drawn where that is the highest number, unless the bound on the walk ended it; then the
-- next peek goes on from there. (Below any other `high`, what has been drawn says nothing: the sequence may have been set
-- back, and a sweep that never reaches its end never looks again at what it has passed.)
-- `suspects`: whether one waits. (No column is called `found`, which is a variable of every plpgsql function.)
create function pgjobq.peek(
    p_shard smallint, p_queue int, p_kinds text[], p_want int, p_low bigint[], p_high bigint[],
    out tickets bigint[], out priorities smallint[], out reach bigint[], out suspects boolean)
language plpgsql stable
    set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off
    set enable_sort = off set enable_memoize = off set jit = off
    set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
declare
    c_walk constant int := 20000;
    c_top constant bigint := 9223372036854775807;
    c_suspects constant int := 5000;   -- as far as a claim of a suspect looks
    v_now timestamptz := clock_timestamp();
    v_leased int8multirange;
    v_left int := p_want;
    v_free bigint[];
    v_drawn bigint := coalesce(pg_sequence_last_value('pgjobq.ticket'), 0);
begin
    reach := p_low;
    -- A suspect is leased alone, so its lease is the one with its ticket for `hi`: one probe, however many leases there are.
    suspects := exists (
        select 1
          from generate_series(0, 3) p(priority),
               lateral (select ticket, kind, expires_at from pgjobq.jobs
                         where shard = p_shard and queue_id = p_queue and priority = p.priority
                           and ticket is not null and crashes > 0
                         order by ticket limit c_suspects) line
         where line.kind = any (p_kinds) and (line.expires_at is null or line.expires_at > v_now)
           and not exists (select 1 from pgjobq.leases l
                            where l.shard = p_shard and l.queue_id = p_queue and l.priority = p.priority
                              and l.hi = line.ticket));
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
                case when p_high[priority_ + 1] < c_top then p_high[priority_ + 1]
                     else greatest(p_low[priority_ + 1], v_drawn) end);
        end if;
        if v_free is not null then
            tickets := tickets || v_free;
            priorities := priorities || array_fill(priority_::smallint, array[cardinality(v_free)]);
            v_left := v_left - cardinality(v_free);
            exit when v_left = 0;
        end if;
    end loop;
end $$;
