-- The tests of whether a job belongs to a selection.

-- The name of a queue.
create or replace function pgjobq.queue_name(p_queue int) returns text language plpgsql stable as $$
begin
    return (select name from pgjobq.queues where id = p_queue);
end $$;

comment on function pgjobq.queue_name is 'Internal. The name of a queue.';

-- The state of a live job with these columns, as in `job_states`.
create or replace function pgjobq.live_state(
    p_shard smallint, p_queue int, p_priority smallint, p_waits_for int, p_run_at timestamptz,
    p_ticket bigint, p_meta jsonb)
returns text language plpgsql stable as $$
begin
    if p_waits_for > 0 then
        return pgjobq.blocked_state(p_shard, p_meta, p_waits_for);
    elsif p_run_at is not null then
        return 'scheduled';
    elsif p_ticket is null then
        return 'limited';
    elsif exists (select from pgjobq.leases
                   where shard = p_shard and queue_id = p_queue and priority = p_priority
                     and max_ticket >= p_ticket and tickets @> p_ticket) then
        return 'running';
    end if;
    return 'ready';
end $$;

comment on function pgjobq.live_state is 'Internal. The state of a live job.';

-- Tests whether a live job belongs to a selection. (It is SQL, so that the planner puts its text in place of
-- the call, and reads no column that is not needed.)
create or replace function pgjobq.live_matches(
    s pgjobq.selection, p_shard smallint, p_created_at timestamptz, p_attributes jsonb, p_id uuid,
    p_kind text, p_queue int, p_key text, p_priority smallint, p_attempt int, p_waits_for int,
    p_run_at timestamptz, p_ticket bigint, p_meta jsonb)
returns boolean language sql stable as $$
    select p_created_at <= s.before
       and pgjobq.matches(p_attributes, s.path, case when s.needs_columns then
               pgjobq.filter_columns(
                   p_id, p_kind, case when s.needs_queue then pgjobq.queue_name(p_queue) end, p_key,
                   case when s.needs_state
                        then pgjobq.live_state(p_shard, p_queue, p_priority, p_waits_for, p_run_at, p_ticket,
                                               p_meta) end,
                   p_priority, p_attempt, p_created_at,
                   case when not s.needs_errors then null
                        when p_attempt = 0 then '[]'    -- it has not failed yet
                        else pgjobq.errors_of(p_shard, p_id, null) end)
               else '{}' end)
$$;

comment on function pgjobq.live_matches is 'Internal. Whether a live job belongs to a selection.';

-- The same of an ended job.
create or replace function pgjobq.ended_matches(
    s pgjobq.selection, p_created_at timestamptz, p_finished_at timestamptz, p_attributes jsonb, p_id uuid,
    p_kind text, p_queue int, p_key text, p_outcome text, p_priority smallint, p_attempt int, p_errors jsonb)
returns boolean language sql stable as $$
    select p_created_at <= s.before and p_finished_at <= s.before
       and pgjobq.matches(p_attributes, s.path, case when s.needs_columns then
               pgjobq.filter_columns(
                   p_id, p_kind, case when s.needs_queue then pgjobq.queue_name(p_queue) end, p_key,
                   p_outcome, p_priority, p_attempt, p_created_at, case when s.needs_errors then p_errors end)
               else '{}' end)
$$;

comment on function pgjobq.ended_matches is 'Internal. Whether an ended job belongs to a selection.';
