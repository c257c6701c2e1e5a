-- How a queue stands in one shard. Numbers are exact up to ten thousand; what is more is the planner's estimate, because
-- counting ten million rows takes longer than anybody looks. `oldest` is since when the job waits that has waited longest,
-- of those that may start, in microseconds since 1970. The rates are of the last five minutes, and in the first shard.
create or replace function pgjobq.queue_stats(
    p_shard smallint, p_queue int,
    out ready bigint, out scheduled bigint, out blocked bigint, out running bigint, out exact boolean, out oldest bigint,
    out completed bigint, out failed bigint)
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    c_most constant int := 10000;
    v_in_line bigint;
    v_plan json;
    v_leased int8multirange;
    v_since timestamptz;
begin
    select coalesce(sum(cardinality(j.ids)), 0), count(*) <= c_most into running, exact
      from (select priority, tickets from pgjobq.leases
             where shard = p_shard and queue_id = p_queue order by priority, hi limit c_most + 1) l,
           lateral pgjobq.jobs_of_lease(p_shard, p_queue, l.priority, l.tickets) j;
    select count(*) into v_in_line
      from (select 1 from generate_series(0, 3) p(priority),
                   lateral ((select 1 from pgjobq.jobs
                              where shard = p_shard and queue_id = p_queue and priority = p.priority
                                and ticket is not null and crashes = 0 order by ticket limit c_most + 1)
                            union all
                            (select 1 from pgjobq.jobs
                              where shard = p_shard and queue_id = p_queue and priority = p.priority
                                and ticket is not null and crashes > 0 order by ticket limit c_most + 1)) j
             limit c_most + 1) line;
    if v_in_line > c_most then
        exact := false;
        execute format('explain (format json) select 1 from pgjobq.jobs where shard = %s and queue_id = %s and ticket is not null',
                       p_shard, p_queue) into v_plan;
        v_in_line := greatest(v_in_line, (v_plan->0->'Plan'->>'Plan Rows')::numeric::bigint);
    end if;
    ready := greatest(v_in_line - running, 0);
    select count(*) filter (where j.queue_id = p_queue), count(*) into scheduled, v_in_line
      from (select queue_id from pgjobq.jobs
             where shard = p_shard and run_at is not null and waits_for = 0 order by run_at limit c_most + 1) j;
    if v_in_line > c_most then
        exact := false;
        execute format('explain (format json) select 1 from pgjobq.jobs where shard = %s and queue_id = %s and run_at is not null',
                       p_shard, p_queue) into v_plan;
        scheduled := greatest(scheduled, (v_plan->0->'Plan'->>'Plan Rows')::numeric::bigint);
    end if;
    select count(*), exact and count(*) <= c_most into blocked, exact
      from (select 1 from pgjobq.jobs where shard = p_shard and queue_id = p_queue and waits_for > 0 limit c_most + 1) j;
    for priority_ in 0..3 loop
        v_leased := pgjobq.leased_tickets(p_shard, p_queue, priority_, 0);
        select line.created_at into v_since
          from (select ticket, created_at from pgjobq.jobs
                 where shard = p_shard and queue_id = p_queue and priority = priority_
                   and ticket is not null and crashes = 0 order by ticket limit c_most) line
         where v_leased is null or not v_leased @> line.ticket
         order by line.ticket limit 1;
        oldest := least(oldest, (extract(epoch from v_since) * 1000000)::bigint);
    end loop;
    completed := 0;
    failed := 0;
    if pg_is_in_recovery() then
        return;     -- A standby has no unlogged tables.
    end if;
    select coalesce(sum(r.completed), 0), coalesce(sum(r.failed), 0) into completed, failed
      from pgjobq.rates r
     where r.shard = p_shard and r.queue_id = p_queue and r.at > clock_timestamp() - interval '5 minutes';
end $$;

-- How many attempts ended in a worker since it last said so.
create or replace function pgjobq.note_rates(p_shard smallint, p_queues int[], p_completed int[], p_failed int[]) returns void
language plpgsql as $$
declare
    v_now timestamptz := clock_timestamp();
begin
    insert into pgjobq.rates (shard, queue_id, at, completed, failed)
    select p_shard, u.queue_id, v_now, u.completed, u.failed from unnest(p_queues, p_completed, p_failed) u(queue_id, completed, failed);
    delete from pgjobq.rates where shard = p_shard and queue_id = any (p_queues) and at < v_now - interval '10 minutes';
end $$;
