-- Puts jobs back that ran, or were claimed. The only statement that takes a job from its lease and keeps it
-- live. Each job gets a new ticket, or a time at which it comes due, so that no earlier lease covers it.
-- Returns the ids of the jobs that it changed.
--
-- Decisions are those of `finish` that do not end a job, and `crash`: the worker died, and the job waits in
-- quarantine. The statement records failures and crashes. It also records the releases of a job that has
-- crashed: see `crashes_left`.
--
-- A job that is ready at once keeps its permits. One with a delay gives back that of its queue, and that of
-- its kind unless it holds it; the caller then lets another job have them.
create or replace function pgjobq.put_back(
    p_shard smallint, p_worker_name text, p_id uuid[], p_ticket bigint[], p_decision text[],
    p_delay bigint[] default null, p_reason text[] default null, p_message text[] default null)
returns uuid[] language plpgsql as $$
declare
    c_back constant text[] := '{retry,snooze,release,return,crash}';
    v_now timestamptz := clock_timestamp();
    -- For the jobs that are ready at once. (In an UPDATE, a volatile function could not be distributed.)
    v_new bigint[] := array(
        select case when decision = any (c_back) and delay is null then nextval('pgjobq.ticket') end
          from unnest(p_decision, p_delay) with ordinality d(decision, delay, n) order by n);
    v_back uuid[];
    v_to_trim uuid[];   -- those that may have more failures than are kept: the first 10 and the last 100
begin
    with back as (
        update pgjobq.jobs j
           set ticket = case when l.delay is null then l.new_ticket end,
               run_at = v_now + l.delay * interval '1 microsecond',
               due_at = case when l.decision = 'return' then j.due_at when l.delay is null then v_now end,
               permit = case when l.delay is null or j.limits & 32::smallint > 0 then j.permit end,
               queue_permit = case when l.delay is null then j.queue_permit end,
               attempt = least(j.attempt + (l.decision <> 'return')::int, 2000000000),
               failures = j.failures + (l.decision = 'retry')::int,
               crashes = case when l.decision = 'crash' then j.crashes + 1
                              when j.crashes > 0 and l.decision in ('retry', 'snooze')
                              then pgjobq.crashes_left(p_shard, j.id, j.attempt, j.crashes)
                              else j.crashes end,
               expires_at = case when l.decision = 'return' then j.expires_at end
          from (select p.*, p_decision[n] as decision, p_delay[n] as delay, p_reason[n] as reason,
                       p_message[n] as message, v_new[n] as new_ticket
                  from pgjobq.locate_jobs(p_shard, null, p_id, p_ticket, p_decision, c_back) p) l
         where j.ctid = l.address
           and j.shard + 0 = p_shard and j.id is not distinct from l.id and j.ticket = l.ticket
        returning j.id, j.attempt, l.reason, l.message,
                  l.decision in ('retry', 'crash')
                      or (l.decision = 'release' and j.crashes > 0) as is_recorded),
    recorded as (
        insert into pgjobq.failures (shard, job, attempt, reason, message, worker)
        select p_shard, id, attempt, coalesce(reason, 'release'), coalesce(message, 'the worker stopped it'),
               p_worker_name
          from back where is_recorded)
    select array_agg(id), array_agg(id) filter (where is_recorded and attempt > 110) into v_back, v_to_trim
      from back;
    if v_to_trim is not null then
        perform pgjobq.leave_out_failures(p_shard, v_to_trim);
    end if;
    return v_back;
end $$;

comment on function pgjobq.put_back is 'Internal. Puts jobs back in line that ran, or were claimed.';
