-- Ends at most `p_most` jobs that have not started in time. It passes jobs that run meanwhile, does not look
-- at them again in this round, and locks no lane for them. The next call goes on after `scanned_to` and
-- `scanned_to_id`, which are null at the end. The next round may begin at `looked`, a second ago: a sweep
-- from the start finds jobs that were passed, or committed later. `next_due` is the time in microseconds
-- until the next one expires.
create or replace function pgjobq.expire(
    p_shard smallint, p_after timestamptz, p_after_id uuid, p_most int,
    out expired uuid[], out scanned_to timestamptz, out scanned_to_id uuid, out looked timestamptz,
    out next_due bigint)
language plpgsql as $$
declare
    v_now timestamptz := clock_timestamp();
    v_after timestamptz := least(p_after, v_now); -- The clock may have been set back.
    v_jobs uuid[];
    v_seen int;
    v_line record;
    v_leased int8multirange;
    v_running uuid[] := '{}';
begin
    looked := v_now - interval '1 second';
    -- step: time read
    select array_agg(id order by expires_at, id), count(*), max(expires_at) into v_jobs, v_seen, scanned_to
      from (select id, expires_at from pgjobq.jobs
             where shard = p_shard and expires_at is not null and (expires_at, id) > (v_after, p_after_id)
               and expires_at <= v_now
             order by expires_at, id limit p_most) due;
    scanned_to_id := v_jobs[v_seen];
    if v_seen < p_most then
        scanned_to := null;
        scanned_to_id := null;
        next_due := (extract(epoch from (select expires_at from pgjobq.jobs
                                          where shard = p_shard and expires_at is not null
                                            and expires_at > v_now
                                          order by expires_at limit 1)
                                 - clock_timestamp()) * 1000000)::bigint;
    end if;
    -- step: jobs found
    -- Most of them run: a running job keeps its time until its attempt ends. `take_waiting` below excludes
    -- those that are leased after this look.
    for v_line in
        select j.queue_id, j.priority, array_agg(j.id) as ids, array_agg(j.ticket) as tickets,
               min(j.ticket) as low
          from unnest(v_jobs) d(id),
               lateral pgjobq.job_row(p_shard, d.id) j
         where j.ticket is not null
         group by j.queue_id, j.priority
    loop
        v_leased := pgjobq.leased_tickets(p_shard, v_line.queue_id, v_line.priority, v_line.low - 1);
        v_running := v_running || array(select j.id from unnest(v_line.ids, v_line.tickets) j(id, ticket)
                                         where v_leased @> j.ticket);
    end loop;
    v_jobs := array(select id from unnest(v_jobs) d(id) where id <> all (v_running));
    if v_jobs = '{}' then
        return;
    end if;
    select t.waiting into expired from pgjobq.take_waiting(p_shard, v_jobs) t;
    -- A job that has started meanwhile and failed no longer expires.
    expired := array(select d.id from unnest(expired) d(id),
                            lateral pgjobq.job_row(p_shard, d.id) j
                      where j.expires_at <= v_now);
    -- step: jobs taken
    if cardinality(expired) > 0 then
        perform pgjobq.end_waiting(p_shard, expired, 'expire');
    end if;
end $$;

comment on function pgjobq.expire is 'Internal. Ends jobs that did not start in time.';

-- Finds the shards that have jobs to expire: one index probe per shard, which starts at its cursor `p_after`.
-- The next round may start at `looked` in the shards that are not `due`. `next_due` is the time in
-- microseconds until the next job of those shards expires; `expire` returns it for the others.
create or replace function pgjobq.find_expiring(
    p_shards smallint[], p_after timestamptz[], out due smallint[], out looked timestamptz,
    out next_due bigint)
language plpgsql as $$
declare
    v_now timestamptz := clock_timestamp();
    v_next timestamptz;
begin
    looked := v_now - interval '1 second';
    select array_agg(s.shard) filter (where j.expires_at <= v_now),
           min(j.expires_at) filter (where j.expires_at > v_now)
      into due, v_next
      from unnest(p_shards, p_after) s(shard, after),
           lateral (select expires_at from pgjobq.jobs
                     where shard = s.shard and expires_at is not null and expires_at >= least(s.after, v_now)
                     order by expires_at limit 1) j;
    next_due := (extract(epoch from v_next - clock_timestamp()) * 1000000)::bigint;
end $$;

comment on function pgjobq.find_expiring is 'Internal. Finds the shards that have jobs to expire.';
