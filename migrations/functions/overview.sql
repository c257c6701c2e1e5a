-- The numbers of the views for people. Each is counted up to a bound.

-- The state of a queue in all shards, except its scheduled jobs: see the view `queue_overview`.
create or replace function pgjobq.queue_counts(
    p_queue int,
    out ready bigint, out blocked bigint, out limited bigint, out running bigint, out quarantined bigint,
    out exact boolean, out oldest_ready timestamptz, out completed bigint, out failed bigint,
    out unaccepted bigint, out requested bigint)
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    c_most constant int := 10000;
    v_shards smallint[] := array(select s::smallint from pgjobq.settings, generate_series(0, shards - 1) s);
begin
    select sum(q.ready), sum(q.blocked), sum(q.limited), sum(q.running), bool_and(q.exact),
           timestamptz 'epoch' + min(q.oldest) * interval '1 microsecond', sum(q.completed), sum(q.failed)
      into ready, blocked, limited, running, exact, oldest_ready, completed, failed
      from unnest(v_shards) shard, lateral pgjobq.queue_stats(shard, p_queue) q;
    quarantined := (select count(*) from unnest(v_shards) shard, generate_series(0, 3) priority,
                                         lateral pgjobq.quarantine_line(shard, p_queue, priority, 0, c_most));
    unaccepted := (select count(*) from unnest(v_shards) shard, lateral pgjobq.unaccepted(shard, p_queue));
    requested := (select count(*) from unnest(v_shards) s(shard),
                         lateral (select from pgjobq.unique_requests u
                                   where u.shard = s.shard and (u.job->>'queue_id')::int = p_queue
                                   limit c_most) r);
end $$;

comment on function pgjobq.queue_counts is 'Internal. The numbers of `queue_overview`.';

-- The dead jobs of each queue, among the last ten thousand that died in each shard. One walk serves all
-- queues. If a shard has more, `exact` is false.
create or replace function pgjobq.dead_counts(out queue_id int, out dead bigint, out exact boolean)
returns setof record language plpgsql set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    c_most constant int := 10000;
begin
    return query
    with walked as materialized (
        select s.shard, f.queue_id
          from pgjobq.settings, generate_series(0, shards - 1) s(shard),
               lateral (select j.queue_id from pgjobq.finished j
                         where j.shard = s.shard and j.outcome = 'dead' and j.outcome <> 'completed'
                         order by j.finished_at desc limit c_most) f),
    counted as materialized (
        select queue_id, count(*) as jobs from walked group by queue_id),
    cut as materialized (
        select from walked group by shard having count(*) >= c_most limit 1)
    select q.id, coalesce(c.jobs, 0), not exists (select from cut)
      from pgjobq.queues q left join counted c on c.queue_id = q.id
     where q.deleted_at is null;
end $$;

comment on function pgjobq.dead_counts is 'Internal. The dead jobs of each queue in `queue_overview`.';

-- The leases of a worker in all shards: see the view `workers_overview`.
create or replace function pgjobq.worker_counts(
    p_worker bigint, out queues text[], out leases bigint, out running bigint)
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    select array_agg(distinct q.name), count(*), coalesce(sum(cardinality(j.ids)), 0)
      into queues, leases, running
      from pgjobq.settings, generate_series(0, shards - 1) s(shard),
           lateral (select shard, queue_id, priority, tickets from pgjobq.leases
                     where shard = s.shard and worker >= p_worker and worker <= p_worker
                     order by worker offset 0) l
           join pgjobq.queues q on q.id = l.queue_id,
           lateral pgjobq.jobs_of_lease(l.shard, l.queue_id, l.priority, l.tickets) j;
end $$;

comment on function pgjobq.worker_counts is 'Internal. The numbers of `workers_overview`.';

-- The permits that are taken under a limit, and the jobs that wait for one, in all shards: see the view
-- `limits_overview`. At most ten thousand of each are counted in a shard; then `exact` is false.
create or replace function pgjobq.limit_counts(
    p_scope text, p_name text, out permits bigint, out waiting bigint, out exact boolean)
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    c_most constant int := 10000;
    v_queue int := (select id from pgjobq.queues where p_scope = 'queue' and name = p_name);
    r record;
begin
    permits := 0; waiting := 0; exact := true;
    for r in
        select t.jobs as taken, w.jobs as waits
          from pgjobq.settings, generate_series(0, shards - 1) s(shard),
               lateral pgjobq.count_permits(s.shard::smallint, p_scope, p_name, v_queue, c_most + 1) t,
               lateral pgjobq.count_waiting(s.shard::smallint, p_scope, p_name, v_queue, c_most + 1) w
    loop
        permits := permits + least(r.taken, c_most);
        waiting := waiting + least(r.waits, c_most);
        exact := exact and greatest(r.taken, r.waits) <= c_most;
    end loop;
end $$;

comment on function pgjobq.limit_counts is 'Internal. The numbers of `limits_overview`.';

-- What is left of each rate of a limit now, in their order; null if it has none. Of the keys of a kind it is
-- the least, among the first ten thousand in a shard: a key that has no history has all of it.
create or replace function pgjobq.rates_left(p_scope text, p_name text) returns bigint[]
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    v_rates pgjobq.rate[] := pgjobq.rates_of(p_scope, p_name);
    v_now bigint := pgjobq.micros(clock_timestamp());
begin
    if v_rates is null then
        return null;
    end if;
    return (
        with used as materialized (
            select u.n, max(u.weight) as weight
              from pgjobq.settings, generate_series(0, shards - 1) s(shard),
                   lateral (select at, weights from pgjobq.starts
                             where shard = s.shard and scope = p_scope and name = p_name
                             order by key limit 10000) h,
                   unnest(pgjobq.used_of(v_rates, h.at, h.weights, v_now)) with ordinality u(weight, n)
             group by u.n)
        select array_agg(greatest(r.most - coalesce(used.weight, 0), 0) order by r.n)
          from unnest(v_rates) with ordinality r(most, span, n) left join used on used.n = r.n);
end $$;

comment on function pgjobq.rates_left is 'Internal. What is left of each rate of a limit.';

-- The jobs of a shard that have a permit under a limit, at most `p_most`.
create or replace function pgjobq.count_permits(
    p_shard smallint, p_scope text, p_kind text, p_queue int, p_most int, out jobs bigint)
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    jobs := case when p_scope = 'kind'
        then (select count(*) from (select from pgjobq.jobs
                                     where shard = p_shard and kind = p_kind and permit > 0
                                     order by coalesce(case when limits & 16::smallint > 0 then key end, '')
                                     limit p_most) t)
        else (select count(*) from (select from pgjobq.jobs
                                     where shard = p_shard and queue_id = p_queue and queue_permit > 0
                                     order by queue_permit limit p_most) t) end;
end $$;

comment on function pgjobq.count_permits is 'Internal. Counts the permits that are taken under a limit.';

-- The jobs of a shard that wait for a permit under a limit, at most `p_most`.
create or replace function pgjobq.count_waiting(
    p_shard smallint, p_scope text, p_kind text, p_queue int, p_most int, out jobs bigint)
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    jobs := case when p_scope = 'kind'
        then (select count(*) from (select from pgjobq.jobs
                                     where shard = p_shard and kind = p_kind
                                       and limits & 1::smallint > 0 and permit is null and ticket is null
                                       and run_at is null and waits_for = 0
                                     order by coalesce(case when limits & 16::smallint > 0 then key end, '')
                                     limit p_most) t)
        else (select count(*) from (select from pgjobq.jobs
                                     where shard = p_shard and queue_id = p_queue
                                       and limits & 2::smallint > 0 and queue_permit is null
                                       and ticket is null and run_at is null and waits_for = 0
                                       and (limits & 1::smallint = 0 or permit is not null)
                                     order by priority desc, arrival limit p_most) t) end;
end $$;

comment on function pgjobq.count_waiting is 'Internal. Counts the jobs that wait for a permit under a limit.';
