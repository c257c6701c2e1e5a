-- What a running job says of itself.

-- Completes a job inside a transaction of the job function's own: the completion commits with what else was written there, or
-- not at all. False when the job is no longer this lease's; then the transaction has to be rolled back.
-- It locks no lease, so that a transaction left open holds up its own job alone: whoever takes a job from its lease gives it a
-- new ticket, or passes a locked row over. So the ticket, compared in the statement that deletes the row, is the fence.
create function pgjobq.complete_in(
    p_shard smallint, p_worker bigint, p_queue int, p_priority smallint, p_hi bigint, p_lease bigint,
    p_id uuid, p_ticket bigint, p_keep bigint, p_output text) returns boolean
language plpgsql
    set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off
    set enable_sort = off set enable_memoize = off set jit = off
    set plan_cache_mode = force_generic_plan set search_path = pg_catalog, pg_temp as $$
declare
    v_job pgjobq.jobs;
begin
    perform 1 from pgjobq.leases
      where shard = p_shard and queue_id = p_queue and priority = p_priority and hi = p_hi and id = p_lease and worker = p_worker;
    if not found then
        return false;
    end if;
    -- step: lease seen
    delete from pgjobq.jobs j
     using (select ctid, ticket from pgjobq.jobs where shard = p_shard and id = p_id offset 0) mine
     where j.ctid = mine.ctid and j.shard = p_shard and j.id = p_id and j.ticket = p_ticket
    returning j.* into v_job;
    if not found then
        return false;
    end if;
    -- step: job deleted
    if p_keep is not null then
        insert into pgjobq.finished (shard, id, outcome, queue_id, priority, kind, args, attributes, key, meta, attempt,
            failures, crashes, retries, crash_budget, created_at, output, errors, drop_on)
        values (p_shard, p_id, 'completed', v_job.queue_id, v_job.priority, v_job.kind, v_job.args, v_job.attributes, v_job.key,
                v_job.meta, v_job.attempt + (v_job.attempt < 2147483647)::int, v_job.failures, v_job.crashes, v_job.retries,
                v_job.crash_budget, v_job.created_at, p_output::jsonb,
                case when v_job.attempt > 0 then pgjobq.errors_of(p_shard, p_id, null) end,
                pgjobq.drop_day(p_keep * interval '1 microsecond'));
    end if;
    if v_job.attempt > 0 then
        perform pgjobq.forget_failures(p_shard, array[p_id]);
    end if;
    return true;
end $$;

-- Says how far a running job is. False when it is no longer this lease's.
create function pgjobq.say_progress(
    p_shard smallint, p_worker bigint, p_queue int, p_priority smallint, p_hi bigint, p_lease bigint,
    p_id uuid, p_ticket bigint, p_percent smallint, p_message text) returns boolean
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    v_now timestamptz := clock_timestamp();
begin
    insert into pgjobq.progress as p (shard, job, ticket, percent, message, said_at)
    select p_shard, p_id, p_ticket, p_percent, p_message, v_now
      from pgjobq.leases
     where shard = p_shard and queue_id = p_queue and priority = p_priority and hi = p_hi and id = p_lease and worker = p_worker
       and exists (select 1 from pgjobq.jobs where shard = p_shard and id = p_id and ticket = p_ticket)
    on conflict (shard, job) do update
       set ticket = excluded.ticket, percent = excluded.percent, message = excluded.message, said_at = excluded.said_at
     where p.ticket <= excluded.ticket;
    return found;
end $$;

-- How far a running attempt says it is. Nothing on a standby, which has no unlogged tables; a statement that names one is
-- not even planned there, so the name stands in a statement of its own.
create function pgjobq.progress_of(
    p_shard smallint, p_job uuid, p_ticket bigint, out percent smallint, out message text, out said_at timestamptz)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    if pg_is_in_recovery() then
        return;
    end if;
    select p.percent, p.message, p.said_at into percent, message, said_at
      from pgjobq.progress p where p.shard = p_shard and p.job = p_job and p.ticket = p_ticket;
end $$;

create function pgjobq.forget_progress(p_shard smallint, p_jobs uuid[]) returns void language plpgsql as $$
declare
    v_job uuid;
begin
    foreach v_job in array coalesce(p_jobs, '{}') loop
        delete from pgjobq.progress where shard = p_shard and job = v_job;
    end loop;
end $$;
