-- What people do with a queue.

-- Makes sure that a queue is there, and sets how long its ended jobs are kept, in microseconds; null leaves it as it is.
create function pgjobq.save_queue(p_name text, p_completed bigint, p_dead bigint, p_cancelled bigint, p_expired bigint)
returns int language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    v_id int := pgjobq.create_queue(p_name);
begin
    update pgjobq.queues
       set keep_completed = coalesce(p_completed * interval '1 microsecond', keep_completed),
           keep_dead = coalesce(p_dead * interval '1 microsecond', keep_dead),
           keep_cancelled = coalesce(p_cancelled * interval '1 microsecond', keep_cancelled),
           keep_expired = coalesce(p_expired * interval '1 microsecond', keep_expired)
     where id = v_id and coalesce(p_completed, p_dead, p_cancelled, p_expired) is not null;
    return v_id;
end $$;

-- Marks a queue as deleted: nothing more is enqueued in it. Its row and its lanes stay, for a transaction that is still open
-- may have a job for it, which is then cancelled. Null when there is no such queue.
create function pgjobq.delete_queue(p_name text) returns int language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    v_id int;
begin
    update pgjobq.queues set deleted_at = clock_timestamp() where name = p_name and deleted_at is null returning id into v_id;
    return v_id;
end $$;

-- Cancels jobs of a queue that wait: of one priority those in line after the ticket `p_after`; with no priority, those that are
-- scheduled after that time, in microseconds since 1970, and those that are blocked. Up to `p_most` of each at once. `reach` is
-- from where to go on, and null at the end.
create function pgjobq.purge_queue(
    p_shard smallint, p_queue int, p_priority smallint, p_after bigint, p_most int, p_reason text,
    out cancelled uuid[], out reach bigint)
language plpgsql
    set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off
    set enable_sort = off set enable_memoize = off set jit = off
    set plan_cache_mode = force_generic_plan set search_path = pg_catalog, pg_temp as $$
declare
    v_jobs uuid[];
begin
    if p_priority is not null then
        select array_agg(j.id), max(j.ticket) into v_jobs, reach
          from (select id, ticket
                  from ((select id, ticket from pgjobq.jobs
                          where shard = p_shard and queue_id = p_queue and priority = p_priority
                            and ticket is not null and crashes = 0 and ticket > p_after order by ticket limit p_most)
                        union all
                        (select id, ticket from pgjobq.jobs
                          where shard = p_shard and queue_id = p_queue and priority = p_priority
                            and ticket is not null and crashes > 0 and ticket > p_after order by ticket limit p_most)) both_lines
                 order by ticket limit p_most) j;
    else
        select s.ids, s.reach into v_jobs, reach from pgjobq.scheduled_jobs(p_shard, p_queue, p_after, p_most) s;
        v_jobs := v_jobs || array(select id from pgjobq.jobs
                                   where shard = p_shard and queue_id = p_queue and waits_for > 0 order by queue_id limit p_most);
    end if;
    -- step: jobs read
    select t.waiting into cancelled from pgjobq.take_waiting(p_shard, coalesce(v_jobs, '{}')) t;
    if cardinality(cancelled) > 0 then
        perform pgjobq.end_waiting(p_shard, cancelled, 'cancelled', session_user, p_reason);
        reach := coalesce(reach, p_after); -- Of those that are not in line there may be more.
    elsif reach <= p_after then
        reach := p_after + 1; -- All of them are locked by others.
    end if;
end $$;

-- Up to `p_most` scheduled jobs of a queue from a time on, in microseconds since 1970, in a bounded walk over those of all
-- queues. `reach` is from when on the next walk goes on, and null at the end. All jobs of one moment are read in one walk.
create function pgjobq.scheduled_jobs(p_shard smallint, p_queue int, p_from bigint, p_most int, out ids uuid[], out reach bigint)
language plpgsql as $$
declare
    c_walk constant int := 20000;
    -- In two steps, because a number of microseconds as a float would be rounded.
    v_from timestamptz := timestamptz 'epoch' + p_from / 1000000 * interval '1 second' + p_from % 1000000 * interval '1 microsecond';
    v_times timestamptz[];
    v_walked bigint;
    v_last timestamptz;
begin
    select coalesce(array_agg(id) filter (where queue_id = p_queue), '{}'), array_agg(run_at) filter (where queue_id = p_queue),
           count(*), max(run_at)
      into ids, v_times, v_walked, v_last
      from (select id, queue_id, run_at from pgjobq.jobs
             where shard = p_shard and run_at is not null and waits_for = 0 and run_at >= v_from
             order by run_at fetch first c_walk rows with ties) walk;
    if cardinality(ids) > p_most then
        ids := ids[1:p_most];
        reach := (extract(epoch from v_times[p_most]) * 1000000)::bigint;
    elsif v_walked >= c_walk then
        reach := (extract(epoch from v_last) * 1000000)::bigint + 1;
    end if;
end $$;

-- How many attempts ended in a worker since it last said so.
create function pgjobq.note_rates(p_shard smallint, p_queues int[], p_completed int[], p_failed int[]) returns void
language plpgsql as $$
declare
    v_now timestamptz := clock_timestamp();
begin
    insert into pgjobq.rates (shard, queue_id, at, completed, failed)
    select p_shard, u.queue_id, v_now, u.completed, u.failed from unnest(p_queues, p_completed, p_failed) u(queue_id, completed, failed);
    delete from pgjobq.rates where shard = p_shard and queue_id = any (p_queues) and at < v_now - interval '10 minutes';
end $$;

-- How a queue stands in one shard. Numbers are exact up to ten thousand; what is more is the planner's estimate, because
-- counting ten million rows takes longer than anybody looks. `oldest` is since when the job waits that has waited longest,
-- of those that may start, in microseconds since 1970. The rates are of the last five minutes, and in the first shard.
create function pgjobq.queue_stats(
    p_shard smallint, p_queue int,
    out ready bigint, out scheduled bigint, out blocked bigint, out running bigint, out exact boolean, out oldest bigint,
    out completed bigint, out failed bigint)
language plpgsql
    set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off
    set enable_sort = off set enable_memoize = off set jit = off
    set plan_cache_mode = force_generic_plan set search_path = pg_catalog, pg_temp as $$
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
