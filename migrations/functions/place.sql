-- The numbers of the jobs before one, and of the slots that it could run in. Each is bounded.

-- The waiting jobs of a line before this one: those of a higher priority, and those with an earlier ticket.
-- Above ten thousand it is the planner's estimate, and beside more than forty thousand jobs that run.
create or replace function pgjobq.jobs_before(p_job pgjobq.jobs, out jobs bigint, out exact boolean)
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    c_most constant int := 10000;
    v_leased int8multirange;
    v_running bigint;
    v_rows int;
    v_up_to bigint;
begin
    jobs := 0;
    exact := true;
    for priority_ in reverse 3..p_job.priority loop
        v_leased := pgjobq.leased_tickets(p_job.shard, p_job.queue_id, priority_, 0);
        v_running := (select coalesce(sum(upper(r) - lower(r)), 0) from unnest(v_leased) r);
        v_rows := c_most + 1 + least(v_running, 40000);
        v_up_to := case when priority_ = p_job.priority then p_job.ticket - 1 else 9223372036854775807 end;
        jobs := jobs + (select count(*)
            from (select from ((select ticket from pgjobq.ready_line(
                                    p_job.shard, p_job.queue_id, priority_, 0, v_rows, v_up_to)
                                 where p_job.crashes = 0)
                               union all
                               (select ticket from pgjobq.quarantine_line(
                                    p_job.shard, p_job.queue_id, priority_, 0, v_rows)
                                 where p_job.crashes > 0 and ticket <= v_up_to)) line
                   where v_leased is null or not v_leased @> line.ticket
                   limit c_most + 1) waiting);
        exact := exact and jobs <= c_most and v_running <= 40000;
        exit when not exact;
    end loop;
    if not exact then
        jobs := greatest(jobs, pgjobq.estimated_before(p_job));
    end if;
end $$;

comment on function pgjobq.jobs_before is 'Internal. Counts the waiting jobs of a line before one.';

-- The planner's estimate of the jobs of a line before this one.
create or replace function pgjobq.estimated_before(p_job pgjobq.jobs) returns bigint
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    v_plan json;
begin
    execute format('explain (format json) select 1 from pgjobq.jobs '
                   'where shard = %s and queue_id = %s and ticket is not null and crashes %s 0 '
                   'and (priority > %s or priority = %s and ticket < %s)',
                   p_job.shard, p_job.queue_id, case when p_job.crashes = 0 then '=' else '>' end,
                   p_job.priority, p_job.priority, p_job.ticket) into v_plan;
    return (v_plan->0->'Plan'->>'Plan Rows')::numeric::bigint;
end $$;

comment on function pgjobq.estimated_before is 'Internal. Estimates the jobs of a line before one.';

-- The number of attempts of a queue's jobs that ended each second of the last minute, in each shard on
-- average.
create or replace function pgjobq.ended_per_second(p_queue int) returns numeric
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    if pg_is_in_recovery() then
        return 0;       -- A standby has no unlogged tables.
    end if;
    -- Workers count in the first shard.
    return (select coalesce(sum(r.completed + r.failed), 0) / 60.0 / (select shards from pgjobq.settings)
              from pgjobq.rates r
             where r.shard = 0 and r.queue_id = p_queue and r.at > clock_timestamp() - interval '1 minute');
end $$;

comment on function pgjobq.ended_per_second is 'Internal. How fast a line moves.';

-- The slots of the live workers that accept a job, and how many are free. `since` is when the last of their
-- claims took a job that still runs. It looks at one worker after the other, those first that wait for jobs
-- of the queue, until it has seen a thousand slots: `seen` of the `workers`.
create or replace function pgjobq.slots_for(
    p_job pgjobq.jobs, p_queue text,
    out workers bigint, out seen bigint, out slots bigint, out free bigint, out since timestamptz)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    w record;
    r record;
begin
    seen := 0; slots := 0; free := 0;
    for w in select l.id, coalesce(l.slots, 0) as slots, count(*) over () as workers
               from pgjobq.live_workers(p_job, p_queue) l where l.accepts order by l.is_idle desc, l.id
    loop
        workers := w.workers;
        exit when slots >= 1000;
        r := pgjobq.running_in(w.id, p_job.queue_id);
        seen := seen + 1;
        slots := slots + w.slots;
        free := free + greatest(w.slots - r.running, 0);
        since := greatest(since, r.since);
    end loop;
end $$;

comment on function pgjobq.slots_for is 'Internal. The slots that a job could run in.';

-- The number of jobs of a queue that a worker holds, and when the last of its claims took one that still
-- runs.
create or replace function pgjobq.running_in(
    p_worker bigint, p_queue int, out running bigint, out since timestamptz)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    select coalesce(sum(cardinality(j.ids)), 0), max(l.claimed_at) filter (where j.ids <> '{}')
      into running, since
      from pgjobq.settings, generate_series(0, shards - 1) s(shard),
           lateral (select shard, queue_id, priority, tickets, claimed_at from pgjobq.leases
                     where shard = s.shard and worker >= p_worker and worker <= p_worker
                     order by worker offset 0) l,
           lateral pgjobq.jobs_of_lease(l.shard, l.queue_id, l.priority, l.tickets) j
     where l.queue_id = p_queue;
end $$;

comment on function pgjobq.running_in is 'Internal. How many jobs of a queue a worker holds.';
