-- Jobs that end without being run to their end: cancelled by a person or a program, or not started in time.
--
-- A waiting job may be leased at any moment, so whoever ends one locks its lane first, then its row, and reads the leases in
-- a statement after that: what none of them covers is certainly not running. Locked rows are passed over, never waited
-- for: somebody's transaction, open for who knows how long, may be about to complete that job.

-- Tells apart which of some jobs wait (they are locked now, and stay so until the transaction ends) and which run, or
-- cannot be had just now. What is in neither is gone. At most a thousand at a time.
create or replace function pgjobq.take_waiting(p_shard smallint, p_jobs uuid[], out waiting uuid[], out running uuid[])
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
create or replace function pgjobq.end_waiting(p_shard smallint, p_jobs uuid[], p_outcome text, p_by text, p_reason text) returns void
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
