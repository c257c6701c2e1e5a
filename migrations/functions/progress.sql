-- Records the progress of a running job. False if the job is no longer this lease's.
create or replace function pgjobq.say_progress(
    p_shard smallint, p_worker bigint, p_queue int, p_priority smallint, p_max_ticket bigint, p_lease bigint,
    p_id uuid, p_ticket bigint, p_percent smallint, p_message text) returns boolean
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    v_now timestamptz := clock_timestamp();
begin
    insert into pgjobq.progress as p (shard, job, ticket, percent, message, said_at)
    select p_shard, p_id, p_ticket, p_percent, p_message, v_now
      from pgjobq.leases
     where shard = p_shard and queue_id = p_queue and priority = p_priority
       and max_ticket >= p_max_ticket and max_ticket <= p_max_ticket and id = p_lease and worker = p_worker
       and exists (select 1 from pgjobq.jobs where shard = p_shard and id = p_id and ticket = p_ticket)
     order by max_ticket
    on conflict (shard, job) do update
       set ticket = excluded.ticket, percent = excluded.percent, message = excluded.message,
           said_at = excluded.said_at
     where p.ticket <= excluded.ticket;
    return found;
end $$;

comment on function pgjobq.say_progress is 'Internal. Records the progress of a running job.';

-- The progress that a running attempt reported. No row on a standby, which has no unlogged tables. A
-- statement that names one is not even planned there, so the name stands in a statement of its own.
create or replace function pgjobq.progress_of(
    p_shard smallint, p_job uuid, p_ticket bigint, out percent smallint, out message text,
    out said_at timestamptz)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    if pg_is_in_recovery() then
        return;
    end if;
    select p.percent, p.message, p.said_at into percent, message, said_at
      from pgjobq.progress p where p.shard = p_shard and p.job = p_job and p.ticket = p_ticket;
end $$;

comment on function pgjobq.progress_of is 'Internal. What a running attempt reported of its progress.';

-- Deletes what these jobs reported of their progress.
create or replace function pgjobq.forget_progress(p_shard smallint, p_jobs uuid[])
returns void language plpgsql as $$
declare
    v_job uuid;
begin
    foreach v_job in array coalesce(p_jobs, '{}') loop
        delete from pgjobq.progress where shard = p_shard and job = v_job;
    end loop;
end $$;

comment on function pgjobq.forget_progress is 'Internal. Deletes what jobs reported of their progress.';
