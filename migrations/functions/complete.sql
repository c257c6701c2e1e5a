-- Completes a job inside a transaction of the job function's own: the completion commits with what else was written there, or
-- not at all. False when the job is no longer this lease's; then the transaction has to be rolled back.
-- It locks no lease, so that a transaction left open holds up its own job alone: whoever takes a job from its lease gives it a
-- new ticket, or passes a locked row over. So the ticket, compared in the statement that deletes the row, is the fence.
create or replace function pgjobq.complete_in(
    p_shard smallint, p_worker bigint, p_queue int, p_priority smallint, p_hi bigint, p_lease bigint,
    p_id uuid, p_ticket bigint, p_keep bigint, p_output text) returns boolean
language plpgsql set search_path = pg_catalog, pg_temp as $$
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
