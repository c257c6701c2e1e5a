-- Ends jobs that wait: cancelled by a person or a program, or not started in time.
--
-- A waiting job may be leased at any moment. So a function that ends one locks its lane first, then its row,
-- and reads the leases in a later statement: a job that none of them covers certainly does not run. It skips
-- locked rows and never waits for them, because an open transaction may be about to complete that job.

-- Splits `p_jobs`, at most a thousand, into `waiting` (locked until the transaction ends) and `running`
-- (leased, or locked by another session: `busy`). Ids in neither array have ended.
create or replace function pgjobq.take_waiting(p_shard smallint, p_jobs uuid[], out waiting uuid[],
                                               out running uuid[], out busy uuid[])
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
                             lateral pgjobq.job_row(p_shard, d.id) j
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
        select j.queue_id, j.priority, array_agg(j.id) as ids, array_agg(j.ticket) as tickets,
               min(j.ticket) as low
          from unnest(v_locked) d(id),
               lateral pgjobq.job_row(p_shard, d.id) j
         group by j.queue_id, j.priority
    loop
        v_leased := case when v_job.low is not null then
            pgjobq.leased_tickets(p_shard, v_job.queue_id, v_job.priority, v_job.low - 1) end;
        waiting := waiting || array(select j.id from unnest(v_job.ids, v_job.tickets) j(id, ticket)
                                     where j.ticket is null or v_leased is null or not v_leased @> j.ticket);
    end loop;
    running := array(select j.id
                       from unnest(p_jobs) d(id),
                            lateral pgjobq.job_row(p_shard, d.id) j
                      where j.id <> all (waiting));
    busy := array(select unnest(running) except select unnest(v_locked));
end $$;

comment on function pgjobq.take_waiting is
    'Internal. Locks those of some jobs that wait, and lists those that run.';

-- Ends jobs whose rows the caller has locked, and which are not running. `p_decision` is cancel or expire.
-- `p_reasons` gives each job a reason of its own.
create or replace function pgjobq.end_waiting(
    p_shard smallint, p_jobs uuid[], p_decision text, p_by text default null, p_reason text default null,
    p_reasons text[] default null)
returns void language plpgsql as $$
declare
    v_count int[] := array[cardinality(p_jobs)];
    v_steps jsonb[];
    v_freed boolean;
    v_places int[];
begin
    select e.steps, e.freed, e.places into v_steps, v_freed, v_places from pgjobq.end_jobs(
        p_shard, null, false, null, p_jobs, null, array_fill(p_decision, v_count),
        p_message => coalesce(p_reasons, array_fill(p_reason, v_count)), p_by => p_by) e;
    perform pgjobq.announce_limited(null) where v_freed;
    if v_places is not null then
        perform pgjobq.give_room(p_shard, v_places, true);
    end if;
    if v_steps is not null then
        perform pgjobq.end_steps(p_shard, v_steps, false);
    end if;
    perform pgjobq.forget_cancels(p_shard, p_jobs);
    perform pgjobq.end_parents(p_shard, p_jobs);
end $$;

comment on function pgjobq.end_waiting is 'Internal. Ends locked jobs that are not running.';
