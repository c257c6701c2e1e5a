-- The quarantine: the separate line of jobs that were running when their worker died.

-- Claims up to `p_want` quarantined jobs: those that were running when their worker died. Jobs that can afford another crash run
-- together, so that an innocent crowd returns fast. A job that has crashed twice, or whose next crash is its last, runs alone: only
-- with `p_alone`, which says that no quarantined job runs in this worker. The guilty one therefore takes another quarantined job
-- along once at most.
-- The walk begins above `p_from`, for each priority, and is bounded; `reach` is where the next one begins, 0 after the end of
-- the line. `alone`: the job must run alone. `passed`: one that must run alone was left for others of no higher priority. With
-- `p_lone_first` (and `p_alone`) it goes first. `read_args` reads the arguments. The steps are those of `claim`.
create or replace function pgjobq.claim_quarantined(
    p_shard smallint, p_queue int, p_worker bigint, p_lease bigint, p_kinds text[], p_want int, p_alone boolean, p_from bigint[],
    p_lone_first boolean default false,
    out ids uuid[], out kinds text[], out priorities smallint[], out tickets bigint[], out attempts int[],
    out failures smallint[], out retries smallint[], out crash_budgets smallint[], out reach bigint[], out opened boolean, out alone boolean, out passed boolean)
language plpgsql set lock_timeout = '1s' as $$
#variable_conflict use_column
declare
    c_walk constant int := 5000;
    v_leased int8multirange;
    v_from bigint;
    v_now timestamptz;
    lone int;
    r record;
begin
    reach := p_from;
    alone := false;
    passed := false;
    opened := pgjobq.open_lane(p_shard, p_queue, p_worker, true);
    if not opened then
        return;
    end if;
    v_now := clock_timestamp();
    for priority_ in reverse 3..0 loop
        -- Mostly no quarantined job waits, and then no lease is read. The walk begins at the first one, past the dead entries.
        select j.ticket - 1 into v_from from pgjobq.jobs j
         where j.shard = p_shard and j.queue_id = p_queue and j.priority = priority_
           and j.ticket is not null and j.crashes > 0 and j.ticket > p_from[priority_ + 1]
         order by j.ticket limit 1;
        if not found then
            reach[priority_ + 1] := 0;
            continue;
        end if;
        v_leased := pgjobq.leased_tickets(p_shard, p_queue, priority_, v_from);
        -- step: leases read
        foreach lone in array case when p_alone and p_lone_first then '{1,0}' when p_alone then '{0,1}' else '{0}'::int[] end loop
            select array_agg(j.id) as ids, array_agg(j.kind) as kinds, array_agg(j.ticket) as tickets,
                   array_agg(j.attempt) as attempts, array_agg(j.failures) as failures, array_agg(j.retries) as retries,
                   array_agg(j.crash_budget) as crash_budgets,
                   range_agg(int8range(j.ticket, j.ticket, '[]')) as covered, max(j.ticket) as hi, count(*)::int as taken
              into r
              from (select *
                      from (select id, ticket, kind, attempt, failures, retries, crashes, crash_budget, expires_at
                              from pgjobq.jobs
                             where shard = p_shard and queue_id = p_queue and priority = priority_
                               and ticket is not null and crashes > 0 and ticket > v_from
                             order by ticket limit c_walk) line
                     where (v_leased is null or not v_leased @> ticket)
                       and kind = any (p_kinds) and (expires_at is null or expires_at > v_now)
                       and (crashes > 1 or crash_budget <= crashes) = (lone = 1)
                     order by ticket limit case lone when 1 then 1 else p_want end) j;
            alone := r.taken > 0 and lone = 1;
            exit when r.taken > 0;
        end loop;
        passed := not alone and (passed or exists (
            select 1 from (select ticket, kind, crashes, crash_budget, expires_at from pgjobq.jobs
                            where shard = p_shard and queue_id = p_queue and priority = priority_
                              and ticket is not null and crashes > 0 and ticket > v_from
                            order by ticket limit c_walk) line
             where (v_leased is null or not v_leased @> ticket)
               and kind = any (p_kinds) and (expires_at is null or expires_at > v_now)
               and (crashes > 1 or crash_budget <= crashes)));
        if r.taken > 0 then
            insert into pgjobq.leases (shard, queue_id, priority, hi, id, worker, tickets)
            values (p_shard, p_queue, priority_, r.hi, p_lease, p_worker, r.covered);
            ids := r.ids; kinds := r.kinds; tickets := r.tickets; attempts := r.attempts; failures := r.failures;
            retries := r.retries; crash_budgets := r.crash_budgets;
            priorities := array_fill(priority_::smallint, array[r.taken]);
            -- step: lease inserted
            return;
        end if;
        reach[priority_ + 1] := pgjobq.end_of_quarantine_walk(p_shard, p_queue, priority_, v_from, c_walk);
    end loop;
end $$;

-- Where a walk of `p_walk` rows through the quarantine above `p_from` ended; 0 if it came to the end of the line.
-- Callers pin the plan.
create or replace function pgjobq.end_of_quarantine_walk(p_shard smallint, p_queue int, p_priority int, p_from bigint, p_walk int)
returns bigint language plpgsql as $$
begin
    return coalesce((select ticket from pgjobq.jobs
                      where shard = p_shard and queue_id = p_queue and priority = p_priority
                        and ticket is not null and crashes > 0 and ticket > p_from
                      order by ticket offset p_walk - 1 limit 1), 0);
end $$;
