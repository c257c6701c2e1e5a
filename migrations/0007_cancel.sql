-- Jobs that end without being run to their end: cancelled by a person or a program, or not started in time.
--
-- A waiting job may be leased at any moment, so whoever ends one locks its lane first, then its row, and reads the leases in
-- a statement after that: what none of them covers is certainly not running. Locked rows are passed over, never waited
-- for: somebody's transaction, open for who knows how long, may be about to complete that job.

-- Tells apart which of some jobs wait (they are locked now, and stay so until the transaction ends) and which run, or
-- cannot be had just now. What is in neither is gone. At most a thousand at a time.
create function pgjobq.take_waiting(p_shard smallint, p_jobs uuid[], out waiting uuid[], out running uuid[])
language plpgsql as $$
declare
    v_queues int[];
    v_queue int;
    v_id uuid;
    v_job record;
    v_locked uuid[] := '{}';
    v_leased int8multirange;
begin
    if current_setting('transaction_isolation') <> 'read committed' then
        raise exception 'this needs READ COMMITTED: an older snapshot would not see the latest leases';
    end if;
    v_queues := array(select distinct j.queue_id
                        from unnest(p_jobs) d(id),
                             lateral (select queue_id from pgjobq.jobs where shard = p_shard and id = d.id offset 0) j
                       order by 1);
    foreach v_queue in array v_queues loop
        perform 1 from pgjobq.lanes where shard = p_shard and queue_id = v_queue for update;
    end loop;
    -- step: lanes locked
    waiting := '{}';
    for v_id in select distinct id from unnest(p_jobs) d(id) order by id loop
        perform 1 from pgjobq.jobs
          where shard = p_shard and id = v_id and queue_id = any (v_queues)
            for update skip locked;
        if found then
            v_locked := v_locked || v_id;
        end if;
    end loop;
    -- step: jobs locked
    for v_job in
        select j.queue_id, j.priority, array_agg(j.id) as ids, array_agg(j.ticket) as tickets, min(j.ticket) as low
          from unnest(v_locked) d(id),
               lateral (select id, queue_id, priority, ticket from pgjobq.jobs where shard = p_shard and id = d.id offset 0) j
         group by j.queue_id, j.priority
    loop
        v_leased := case when v_job.low is not null then
            pgjobq.leased_tickets(p_shard, v_job.queue_id, v_job.priority, v_job.low - 1) end;
        waiting := waiting || array(select j.id from unnest(v_job.ids, v_job.tickets) j(id, ticket)
                                     where j.ticket is null or v_leased is null or not v_leased @> j.ticket);
    end loop;
    running := array(select j.id
                       from unnest(p_jobs) d(id),
                            lateral (select id from pgjobq.jobs where shard = p_shard and id = d.id offset 0) j
                      where j.id <> all (waiting));
end $$;

-- Ends jobs whose rows the caller has locked, and which nobody runs.
create function pgjobq.end_waiting(p_shard smallint, p_jobs uuid[], p_outcome text, p_by text, p_reason text) returns void
language plpgsql as $$
declare
    v_now timestamptz := clock_timestamp();
    v_id uuid;
    v_job pgjobq.jobs;
begin
    foreach v_id in array p_jobs loop
        delete from pgjobq.jobs where shard = p_shard and id = v_id returning * into v_job;
        insert into pgjobq.finished (shard, id, outcome, queue_id, priority, kind, args, attributes, key, meta, attempt,
            failures, crashes, retries, crash_budget, created_at, errors, cancelled, drop_on)
        values (p_shard, v_id, p_outcome, v_job.queue_id, v_job.priority, v_job.kind, v_job.args, v_job.attributes, v_job.key,
                v_job.meta, v_job.attempt, v_job.failures, v_job.crashes, v_job.retries, v_job.crash_budget, v_job.created_at,
                case when v_job.attempt > 0 then pgjobq.errors_of(p_shard, v_id, null) end,
                case when p_outcome = 'cancelled' then
                    coalesce((select jsonb_build_object('by', c.asked_by, 'role', c.role, 'reason', c.reason, 'asked_at', c.asked_at)
                                from pgjobq.cancels c
                               where c.shard = p_shard and c.job = v_id and c.created_at = v_job.created_at
                               order by c.asked_at limit 1),
                             jsonb_build_object('by', p_by, 'role', session_user, 'reason', p_reason, 'asked_at', v_now)) end,
                pgjobq.drop_day(pgjobq.keep_of(v_job.queue_id, p_outcome)));
    end loop;
    perform pgjobq.forget_failures(p_shard, p_jobs);
    perform pgjobq.forget_cancels(p_shard, p_jobs);
end $$;

-- In the order of the id, so that two who forget the same requests cannot wait for each other in a circle.
create function pgjobq.forget_cancels(p_shard smallint, p_jobs uuid[]) returns void language plpgsql as $$
declare
    v_job uuid;
begin
    for v_job in select distinct id from unnest(p_jobs) d(id) order by id loop
        delete from pgjobq.cancels c where c.shard = p_shard and c.job = v_job
           and not exists (select 1 from pgjobq.jobs j
                            where j.shard = p_shard and j.id = v_job and j.created_at = c.created_at);
    end loop;
end $$;

-- Those of some jobs that somebody has asked to cancel.
create function pgjobq.flagged(p_shard smallint, p_jobs uuid[]) returns uuid[] language plpgsql as $$
begin
    return array(select j.id
                   from unnest(p_jobs) d(id),
                        lateral (select id, created_at from pgjobq.jobs where shard = p_shard and id = d.id offset 0) j
                  where exists (select 1 from pgjobq.cancels c
                                 where c.shard = p_shard and c.job = j.id and c.created_at = j.created_at));
end $$;

-- Ends those of some jobs, locked by the caller and about to wait again, that somebody has asked to cancel.
create function pgjobq.end_flagged(p_shard smallint, p_jobs uuid[]) returns uuid[] language plpgsql as $$
declare
    v_flagged uuid[] := pgjobq.flagged(p_shard, p_jobs);
begin
    if v_flagged = '{}' then
        return null;
    end if;
    perform pgjobq.end_waiting(p_shard, v_flagged, 'cancelled', null, null);
    return v_flagged;
end $$;

-- Asks to cancel jobs: adds a row for each that is live, and locks nothing, so that a caller's transaction may do it. The
-- row names the session's role beside the caller's word; no role but the owner may write that column.
create function pgjobq.ask_to_cancel(p_shard smallint, p_jobs uuid[], p_by text, p_reason text) returns uuid[]
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_asked uuid[];
begin
    with asked as (
        insert into pgjobq.cancels (shard, job, created_at, asked_by, role, reason)
        select p_shard, j.id, j.created_at, coalesce(p_by, session_user), session_user, p_reason
          from unnest(p_jobs) d(id),
               lateral (select id, created_at from pgjobq.jobs where shard = p_shard and id = d.id offset 0) j
        returning job)
    select array_agg(job) into v_asked from asked;
    return v_asked;
end $$;

revoke execute on function pgjobq.ask_to_cancel from public;

-- Acts on requests to cancel these jobs, or, where none are named, on the next `p_most` after `p_after`, which is null at the
-- beginning; `reach` is how far it came, and null at the end. Those that wait are ended. `running` have to be told.
create function pgjobq.act_on_cancels(
    p_shard smallint, p_jobs uuid[], p_after uuid, p_most int, out cancelled uuid[], out running uuid[], out reach uuid)
language plpgsql security definer set search_path = pg_catalog, pg_temp
    set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off
    set enable_sort = off set enable_memoize = off set jit = off
    set plan_cache_mode = force_generic_plan as $$
declare
    v_jobs uuid[] := p_jobs;
begin
    if v_jobs is null then
        v_jobs := array(select job from (select distinct job from (
                            select job from pgjobq.cancels
                             where shard = p_shard and job >= coalesce(p_after, '00000000-0000-0000-0000-000000000000')
                               and (p_after is null or job <> p_after)
                             order by job limit p_most) c) d order by job);
        reach := case when cardinality(v_jobs) > 0 then v_jobs[cardinality(v_jobs)] end;
    end if;
    if cardinality(v_jobs) = 0 then
        return;
    end if;
    -- step: requests read
    select t.waiting, t.running into cancelled, running from pgjobq.take_waiting(p_shard, v_jobs) t;
    -- step: jobs taken
    cancelled := pgjobq.flagged(p_shard, cancelled);
    running := pgjobq.flagged(p_shard, running);
    if cardinality(cancelled) > 0 then
        perform pgjobq.end_waiting(p_shard, cancelled, 'cancelled', null, null);
    end if;
    perform pgjobq.forget_cancels(p_shard, v_jobs); -- Of those that are gone.
end $$;

revoke execute on function pgjobq.act_on_cancels from public;

-- Acts on the requests to cancel these jobs, for a role that may not lock a lane itself. The lane stays locked until the
-- transaction ends, so the function rejects a transaction that was open before this message came: a caller who forgets to
-- commit would stop the queue. That also rejects the extended protocol (prepared statements, parameters), where each message has
-- a time of its own: it is called in one simple query.
create function pgjobq.act_on_request(p_shard smallint, p_jobs uuid[], out cancelled uuid[], out running uuid[])
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if transaction_timestamp() <> statement_timestamp() then
        raise exception 'this locks a queue until the transaction ends, so it must be called in a transaction of its own, in one simple query'
            using errcode = 'active_sql_transaction',
                  hint = 'Inside a transaction, select pgjobq.cancel(id): a worker acts on that after the commit.';
    end if;
    select a.cancelled, a.running into cancelled, running from pgjobq.act_on_cancels(p_shard, p_jobs, null, null) a;
end $$;

revoke execute on function pgjobq.act_on_request from public;

-- Cancels a job, from SQL, also inside a transaction: what is asked here is done once that has committed. True when the job
-- is live.
create function pgjobq.cancel(job uuid, reason text default null) returns boolean language plpgsql
    set search_path = pg_catalog, pg_temp as $$
declare
    v_asked uuid[];
begin
    v_asked := pgjobq.ask_to_cancel(pgjobq.shard_of(cancel.job, (select shards from pgjobq.settings)), array[cancel.job],
                                    null, cancel.reason);
    if v_asked is null then
        return false;
    end if;
    perform pg_notify(pgjobq.channel(), 'cancel some');
    return true;
end $$;

-- Finds the shards that have jobs to expire: one index probe per shard, which starts at its cursor `p_after`.
-- The next round may start at `looked` in the shards that are not `due`. `next_due` is the time in microseconds until the next
-- job of those shards expires; `expire` returns it for the others.
create function pgjobq.find_expiring(
    p_shards smallint[], p_after timestamptz[], out due smallint[], out looked timestamptz, out next_due bigint)
language plpgsql
    set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off
    set enable_sort = off set enable_memoize = off set jit = off
    set plan_cache_mode = force_generic_plan as $$
declare
    v_now timestamptz := clock_timestamp();
    v_next timestamptz;
begin
    looked := v_now - interval '1 second';
    select array_agg(s.shard) filter (where j.expires_at <= v_now), min(j.expires_at) filter (where j.expires_at > v_now)
      into due, v_next
      from unnest(p_shards, p_after) s(shard, after),
           lateral (select expires_at from pgjobq.jobs
                     where shard = s.shard and expires_at is not null and expires_at >= least(s.after, v_now)
                     order by expires_at limit 1) j;
    next_due := (extract(epoch from v_next - clock_timestamp()) * 1000000)::bigint;
end $$;

-- Ends jobs that have not been started in time, up to `p_most` at once. Those that run meanwhile are passed, and not
-- looked at again in this round, and no lane is locked for them: the next call goes on after `reach` and `reach_id`, which are null at the end. The next round may
-- begin at `looked`, a second ago: what was passed, or commits later, is found by a sweep from the start. `next_due` is in how many
-- microseconds the next one expires.
create function pgjobq.expire(
    p_shard smallint, p_after timestamptz, p_after_id uuid, p_most int,
    out expired uuid[], out reach timestamptz, out reach_id uuid, out looked timestamptz, out next_due bigint)
language plpgsql
    set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off
    set enable_sort = off set enable_memoize = off set jit = off
    set plan_cache_mode = force_generic_plan as $$
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
    select array_agg(id order by expires_at, id), count(*), max(expires_at) into v_jobs, v_seen, reach
      from (select id, expires_at from pgjobq.jobs
             where shard = p_shard and expires_at is not null and (expires_at, id) > (v_after, p_after_id)
               and expires_at <= v_now
             order by expires_at, id limit p_most) due;
    reach_id := v_jobs[v_seen];
    if v_seen < p_most then
        reach := null;
        reach_id := null;
        next_due := (extract(epoch from (select expires_at from pgjobq.jobs
                                          where shard = p_shard and expires_at is not null and expires_at > v_now
                                          order by expires_at limit 1) - clock_timestamp()) * 1000000)::bigint;
    end if;
    -- step: jobs found
    -- Most of them run: until their attempt ends they keep this time. What is leased after this look is told apart below.
    for v_line in
        select j.queue_id, j.priority, array_agg(j.id) as ids, array_agg(j.ticket) as tickets, min(j.ticket) as low
          from unnest(v_jobs) d(id),
               lateral (select id, queue_id, priority, ticket from pgjobq.jobs where shard = p_shard and id = d.id offset 0) j
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
    -- One that has been started in the meantime, and failed, has all the time it needs.
    expired := array(select d.id from unnest(expired) d(id),
                            lateral (select expires_at from pgjobq.jobs where shard = p_shard and id = d.id offset 0) j
                      where j.expires_at <= v_now);
    -- step: jobs taken
    if cardinality(expired) > 0 then
        perform pgjobq.end_waiting(p_shard, expired, 'expired', null, null);
    end if;
end $$;
