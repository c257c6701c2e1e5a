-- Changes jobs that wait: their priority, their queue, or the time at which they come due (one in the past:
-- at once). A null leaves it as it is. At most a thousand jobs.
--
-- Like the end of a waiting job (see `waiting.sql`) it locks the lanes of the jobs first. The lane of the
-- new queue need not be locked: the job comes there as an enqueue comes. A job in line gets a new ticket,
-- which no lease covers, and no scan hint has passed. It keeps the permit of its kind, unless it waits for a
-- new time and does not hold it; and that of its queue, if it stays in line there.
--
-- `running` are leased; the rows of `busy` are locked by others; `same` were so already; `late` would expire
-- before they come due; `full` have no room in the new queue. Jobs in none of the arrays have ended. `queues`
-- have jobs that may start now; 0 among them: or jobs with a new time.
create or replace function pgjobq.change_waiting(
    p_shard smallint, p_jobs uuid[], p_priority smallint, p_queue int, p_run_at timestamptz,
    out changed uuid[], out running uuid[], out busy uuid[], out same uuid[], out late uuid[],
    out queues int[], out "full" uuid[])
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    v_waiting uuid[];
    v_now timestamptz := clock_timestamp();
    v_new bigint[];
    v_limited uuid[];
    v_seats record;
begin
    select t.waiting, array(select unnest(t.running) except select unnest(t.busy)), t.busy
      into v_waiting, running, busy
      from pgjobq.take_waiting(p_shard, p_jobs) t;
    -- step: waiting jobs taken
    late := array(select j.id
                    from unnest(v_waiting) d(id), lateral pgjobq.job_row(p_shard, d.id) j
                   where p_run_at > v_now and j.expires_at <= p_run_at);
    same := array(select j.id
                    from unnest(v_waiting) d(id), lateral pgjobq.job_row(p_shard, d.id) j
                   where (p_priority is null or j.priority = p_priority)
                     and (p_queue is null or j.queue_id = p_queue)
                     and (p_run_at is null or j.run_at is not distinct from case when p_run_at > v_now
                                                                                 then p_run_at end
                          and (j.waits_for > 0 and j.meta ? 'delay') is not true)
                     and j.id <> all (late));
    v_waiting := array(select id from unnest(v_waiting) d(id)
                        where id <> all (late) and id <> all (same) order by id);
    v_seats := pgjobq.seat_moved(p_shard, v_waiting, p_queue);
    "full" := v_seats."full"; v_waiting := v_seats.seated;
    v_new := pgjobq.draw_tickets(cardinality(v_waiting));
    with moved as (
        update pgjobq.jobs j
           set priority = coalesce(p_priority, j.priority), queue_id = coalesce(p_queue, j.queue_id),
               run_at = l.run_at,
               due_at = case when l.is_due and j.run_at is not null then v_now else j.due_at end,
               ticket = case when l.is_due and pgjobq.may_be_in_line(l.limits, l.permit, l.queue_permit)
                             then v_new[l.n] end,
               limits = case when p_queue is null then l.limits
                             when p_queue = j.queue_id then pgjobq.with_room(l.limits, j.limits & 8 > 0)
                             else pgjobq.with_room(l.limits, v_seats.is_bounded) end,
               permit = l.permit, queue_permit = l.queue_permit,
               arrival = case when pgjobq.needs_permit(l.limits) then coalesce(j.arrival, v_new[l.n]) end,
               meta = case when p_run_at is not null and j.waits_for > 0 then j.meta - 'delay' else j.meta end
          from (select d.n, w.*, w.run_at is null and w.waits_for = 0 as is_due
                  from unnest(v_waiting) with ordinality d(id, n),
                       lateral pgjobq.changed_job(p_shard, d.id, p_queue, p_run_at, v_now) w) l
         where j.ctid = l.address and j.shard + 0 = p_shard and j.id is not distinct from l.id
        returning j.id, j.queue_id, j.ticket, j.run_at, j.waits_for, j.limits)
    select coalesce(array_agg(id), '{}'),
           array_agg(distinct case when ticket is not null then queue_id else 0 end)
               filter (where ticket is not null or run_at = p_run_at),
           array_agg(id) filter (where pgjobq.needs_permit(limits))
      into changed, queues, v_limited from moved;
    if v_limited is not null then
        -- Some wait for a permit now, and some have given one back.
        perform pgjobq.announce_limited(null);
    end if;
end $$;

comment on function pgjobq.change_waiting is
    'Internal. Changes the priority, the queue or the time of jobs that wait.';

-- A waiting job as a change leaves it: its time, and what it keeps of its limits.
create or replace function pgjobq.changed_job(
    p_shard smallint, p_id uuid, p_queue int, p_run_at timestamptz, p_now timestamptz)
returns table (id uuid, address tid, waits_for int, run_at timestamptz, limits smallint, permit int,
               queue_permit int)
language sql stable as $$
    select j.id, j.address, j.waits_for, c.run_at, j.limits,
           case when c.run_at is null or j.limits & 32::smallint > 0 then j.permit end,
           case when c.run_at is null and (p_queue is null or p_queue = j.queue_id) then j.queue_permit end
      from (select w.id, w.ctid as address, w.queue_id, w.waits_for, w.run_at, w.permit, w.queue_permit,
                   case when p_queue is null then w.limits
                        -- Those of its kind stay as they are.
                        else nullif((coalesce(w.limits, 0::smallint) & 497::smallint)
                                    | (coalesce(pgjobq.limits_in(p_shard, w.kind, w.key, p_queue),
                                                0::smallint) & 14::smallint), 0::smallint) end as limits
              from pgjobq.jobs w where w.shard = p_shard and w.id = p_id offset 0) j,
           lateral (select case when p_run_at is null then j.run_at when p_run_at > p_now then p_run_at end
                               as run_at) c
$$;

comment on function pgjobq.changed_job is 'Internal. A waiting job as a change leaves it.';

-- Takes places for locked jobs that move to a bounded queue: `seated` are those that have one. Without a
-- bound these are all. Those of them that leave a bounded queue return their places there.
create or replace function pgjobq.seat_moved(
    p_shard smallint, p_jobs uuid[], p_queue int,
    out seated uuid[], out "full" uuid[], out is_bounded boolean)
language plpgsql as $$
declare
    v_moved uuid[];
    v_left int[];
    v_got int;
begin
    seated := p_jobs;
    "full" := '{}';
    if p_queue is null then
        return;
    end if;
    is_bounded := (select q.is_bounded from pgjobq.queues q where q.id = p_queue);
    if is_bounded then
        v_moved := array(select j.id from unnest(p_jobs) d(id), lateral pgjobq.job_row(p_shard, d.id) j
                          where j.queue_id <> p_queue order by j.id);
        v_got := pgjobq.take_room(p_queue, cardinality(v_moved), false);
        "full" := v_moved[v_got + 1:];
        seated := array(select id from unnest(p_jobs) d(id) where id <> all ("full") order by id);
    end if;
    v_left := array(select j.queue_id from unnest(seated) d(id), lateral pgjobq.job_row(p_shard, d.id) j
                     where j.queue_id <> p_queue and j.limits & 8 > 0);
    if v_left <> '{}' then
        perform pgjobq.give_room(p_shard, v_left, true);
    end if;
end $$;

comment on function pgjobq.seat_moved is 'Internal. Takes places for jobs that move to another queue.';
