-- The state of queues, for people. The counts are bounded, because to count ten million rows takes minutes.

-- The state of a queue in one shard, except its scheduled jobs. Counts are exact up to ten thousand; a larger
-- one is the planner's estimate, and `exact` is false. `ready` contains the quarantined jobs. `oldest` is the
-- time at which the oldest ready job was created, in microseconds since 1970. `completed` and `failed` are
-- attempts of the last five minutes; workers count them in the first shard.
create or replace function pgjobq.queue_stats(
    p_shard smallint, p_queue int,
    out ready bigint, out blocked bigint, out limited bigint, out running bigint, out exact boolean,
    out oldest bigint, out completed bigint, out failed bigint)
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    c_most constant int := 10000;
begin
    select coalesce(sum(cardinality(j.ids)), 0), count(*) <= c_most into running, exact
      from (select priority, tickets from pgjobq.leases
             where shard = p_shard and queue_id = p_queue order by priority, max_ticket limit c_most + 1) l,
           lateral pgjobq.jobs_of_lease(p_shard, p_queue, l.priority, l.tickets) j;
    select count(*) into ready
      from (select from generate_series(0, 3) priority,
                   lateral ((select from pgjobq.ready_line(
                               p_shard, p_queue, priority, 0, c_most + 1))
                            union all
                            (select from pgjobq.quarantine_line(p_shard, p_queue, priority, 0,
                                                                c_most + 1))) line
             limit c_most + 1) lines;
    if ready > c_most then
        exact := false;
        ready := greatest(ready, pgjobq.estimated_jobs(p_shard, p_queue, 'ticket'));
    end if;
    ready := greatest(ready - running, 0);
    select count(*) filter (where waits_for > 0), count(*) filter (where waits_for = 0),
           exact and count(*) <= c_most
      into blocked, limited, exact
      from (select waits_for from pgjobq.jobs
             where shard = p_shard and queue_id = p_queue
               and ticket is null and (waits_for > 0 or run_at is null)
             order by queue_id limit c_most + 1) j;
    oldest := (extract(epoch from pgjobq.due_since(p_shard, p_queue, c_most)) * 1000000)::bigint;
    completed := 0;
    failed := 0;
    if pg_is_in_recovery() then
        return;     -- A standby has no unlogged tables.
    end if;
    select coalesce(sum(r.completed), 0), coalesce(sum(r.failed), 0) into completed, failed
      from pgjobq.rates r
     where r.shard = p_shard and r.queue_id = p_queue and r.at > clock_timestamp() - interval '5 minutes';
end $$;

comment on function pgjobq.queue_stats is 'Internal. The state of a queue in one shard.';

-- The attempts of the last ten minutes that ended, in spans of `p_seconds`, numbered from the latest.
create or replace function pgjobq.ended_attempts(
    p_seconds int, out span int, out completed bigint, out failed bigint)
returns setof record language plpgsql stable rows 20 set search_path = pg_catalog, pg_temp as $$
begin
    if pg_is_in_recovery() then
        return;     -- A standby has no unlogged tables.
    end if;
    return query
        select floor(extract(epoch from clock_timestamp() - r.at) / p_seconds)::int, sum(r.completed)::bigint,
               sum(r.failed)::bigint
          from pgjobq.rates r
         where r.at > clock_timestamp() - interval '10 minutes' and r.at <= clock_timestamp()
         group by 1 order by 1;
end $$;

comment on function pgjobq.ended_attempts is 'Internal. The attempts that ended during the last ten minutes.';

-- The scheduled jobs of some queues, with one walk in each shard, because no index has a queue's scheduled
-- jobs. A walk ends after ten thousand jobs: then the counts are the planner's estimates, if those are
-- higher, and `exact` is false.
create or replace function pgjobq.scheduled_counts(
    p_shards smallint[], p_queues int[], out queue_id int, out scheduled bigint, out exact boolean)
returns setof record language plpgsql rows 10 set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    c_most constant int := 10000;
begin
    return query
    with walked as materialized (
        select s.shard, j.queue_id
          from unnest(p_shards) s(shard),
               lateral (select queue_id from pgjobq.jobs
                         where shard = s.shard and run_at is not null and waits_for = 0 order by run_at
                         limit c_most + 1) j),
    counted as materialized (
        select shard, queue_id, count(*) as jobs from walked group by shard, queue_id),
    cut as materialized (
        select shard from counted group by shard having sum(jobs) > c_most)
    select q.id,
           sum(greatest(c.jobs, case when cut.shard is not null
                                     then pgjobq.estimated_jobs(s.shard, q.id, 'run_at') end, 0))::bigint,
           count(cut.shard) = 0
      from unnest(p_queues) q(id) cross join unnest(p_shards) s(shard)
           left join counted c on c.shard = s.shard and c.queue_id = q.id
           left join cut on cut.shard = s.shard
     group by q.id;
end $$;

comment on function pgjobq.scheduled_counts is 'Internal. The scheduled jobs of queues.';

-- The planner's estimate of a queue's jobs in which this column is set.
create or replace function pgjobq.estimated_jobs(p_shard smallint, p_queue int, p_column text) returns bigint
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    v_plan json;
begin
    execute format('explain (format json) select 1 from pgjobq.jobs '
                   'where shard = %s and queue_id = %s and %I is not null',
                   p_shard, p_queue, p_column) into v_plan;
    return (v_plan->0->'Plan'->>'Plan Rows')::numeric::bigint;
end $$;

comment on function pgjobq.estimated_jobs is 'Internal. The planner''s estimate of a queue''s jobs.';

-- The time since which the oldest ready job of a queue is due, among the first `p_rows` of each priority that
-- no lease covers: that of the last mark before its ticket, but not before the job was created; without marks
-- the latter. So a job that was enqueued without a delay has its exact time, and one that was promoted is too
-- old by at most one interval of the marks.
create or replace function pgjobq.due_since(
    p_shard smallint, p_queue int, p_rows int,
    p_times timestamptz[] default '{}', p_tickets bigint[] default '{}') returns timestamptz
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    v_leased int8multirange;
    v_since timestamptz;
begin
    for priority_ in 0..3 loop
        v_leased := pgjobq.leased_tickets(p_shard, p_queue, priority_, 0);
        v_since := least(v_since, (
            select greatest(j.created_at, (select max(m.at) from unnest(p_times, p_tickets) m(at, ticket)
                                            where m.ticket < j.ticket))
              from pgjobq.ready_line(p_shard, p_queue, priority_, 0, p_rows) j
             where v_leased is null or not v_leased @> j.ticket
             limit 1));
    end loop;
    return v_since;
end $$;

comment on function pgjobq.due_since is 'Internal. The time since which the oldest ready job is due.';

-- Records how many attempts ended in a worker since its last report.
create or replace function pgjobq.note_rates(p_shard smallint, p_queues int[], p_completed int[],
                                             p_failed int[]) returns void
language plpgsql as $$
declare
    v_now timestamptz := clock_timestamp();
begin
    insert into pgjobq.rates (shard, queue_id, at, completed, failed)
    select p_shard, u.queue_id, v_now, u.completed, u.failed
      from unnest(p_queues, p_completed, p_failed) u(queue_id, completed, failed);
    delete from pgjobq.rates where shard = p_shard and queue_id = any (p_queues)
        and at < v_now - interval '10 minutes';
end $$;

comment on function pgjobq.note_rates is 'Internal. Records how many attempts ended in a worker.';
