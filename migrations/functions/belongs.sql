-- The tests of whether a job belongs to a selection.

-- The name of a queue.
create or replace function pgjobq.queue_name(p_queue int) returns text language plpgsql stable as $$
begin
    return (select name from pgjobq.queues where id = p_queue);
end $$;

comment on function pgjobq.queue_name is 'Internal. The name of a queue.';

-- The state of a live job, as in `job_states`.
create or replace function pgjobq.live_state(p_shard smallint, p_id uuid) returns text
language plpgsql stable as $$
begin
    return (select case when j.waits_for > 0 then pgjobq.blocked_state(j.shard, j.meta, j.waits_for)
                        when j.run_at is not null then 'scheduled'
                        when j.ticket is null then 'limited'
                        when exists (select from pgjobq.leases l
                                      where l.shard = j.shard and l.queue_id = j.queue_id
                                        and l.priority = j.priority
                                        and l.max_ticket >= j.ticket and l.tickets @> j.ticket)
                        then 'running' else 'ready' end
              from pgjobq.job_row(p_shard, p_id) j);
end $$;

comment on function pgjobq.live_state is 'Internal. The state of a live job.';

-- Tests whether a live job belongs to a selection. (It is SQL, so that the planner puts its text in place of
-- the call, and reads no column that is not needed.)
create or replace function pgjobq.live_matches(
    s pgjobq.selection, p_shard smallint, p_created_at timestamptz, p_attributes jsonb, p_id uuid,
    p_kind text, p_queue int, p_key text, p_priority smallint, p_attempt int)
returns boolean language sql stable as $$
    select p_created_at <= s.before
       and pgjobq.matches(p_attributes, s.path, case when s.needs_columns then
               pgjobq.filter_columns(
                   p_id, p_kind, pgjobq.queue_name(p_queue), p_key,
                   case when s.needs_state then pgjobq.live_state(p_shard, p_id) end, p_priority, p_attempt,
                   p_created_at, case when s.needs_errors then pgjobq.errors_of(p_shard, p_id, null) end)
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
               pgjobq.filter_columns(p_id, p_kind, pgjobq.queue_name(p_queue), p_key, p_outcome, p_priority,
                                     p_attempt, p_created_at, case when s.needs_errors then p_errors end)
               else '{}' end)
$$;

comment on function pgjobq.ended_matches is 'Internal. Whether an ended job belongs to a selection.';
