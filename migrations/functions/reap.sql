-- Reap: takes back the jobs of workers that died, one lease in each transaction, so that no transaction is
-- long.

-- Takes back one lease of a worker that has no row in `workers`, but none of `p_except`. Each job that still
-- has its ticket gets a crash and a new ticket, and waits in quarantine. A job that has already had
-- `max_crashes` crashes is dead, and a job with a request to cancel is cancelled. A locked job row is
-- skipped, because a transactional job may be completing itself: then the lease stays, and `skipped` is its
-- id. `queue` is null if there was no such lease.
create or replace function pgjobq.reap(
    p_shard smallint, p_except bigint[],
    out requeued int, out buried uuid[], out cancelled uuid[], out skipped bigint, out queue int)
language plpgsql as $$
declare
    c_message constant text := 'the worker died, or was silent for too long, while it ran the job';
    v_lease pgjobq.leases;
    v_jobs record;
    v_decision text[];
    v_reason text[];
    v_message text[];
    v_back uuid[];
    v_steps jsonb[];
    v_freed boolean;
    v_places int[];
begin
    v_lease := pgjobq.lock_dead_lease(p_shard, p_except);
    if v_lease.id is null then return; end if;
    -- step: lease locked
    queue := v_lease.queue_id;
    select * into v_jobs from pgjobq.lock_jobs_of_lease(p_shard, queue, v_lease.priority, v_lease.tickets);
    -- step: jobs locked
    v_decision := pgjobq.decide_crashes(p_shard, v_jobs.ids);
    v_reason := array_fill('crash'::text, array[cardinality(v_jobs.ids)]);
    v_message := array_fill(c_message, array[cardinality(v_jobs.ids)]);
    select e.ended, e.steps, e.freed, e.places into buried, v_steps, v_freed, v_places
      from pgjobq.end_jobs(p_shard, v_lease.worker::text, true, null, v_jobs.ids, v_jobs.held,
                           v_decision, p_reason => v_reason, p_message => v_message) e;
    if v_steps is not null then
        perform pgjobq.end_steps(p_shard, v_steps, false);
    end if;
    perform pgjobq.announce_limited(null) where v_freed;
    if v_places is not null then perform pgjobq.give_room(p_shard, v_places, true); end if;
    perform pgjobq.forget_cancels(p_shard, buried);
    perform pgjobq.end_parents(p_shard, buried);
    v_back := pgjobq.put_back(p_shard, v_lease.worker::text, v_jobs.ids, v_jobs.held, v_decision,
                              p_reason => v_reason, p_message => v_message);
    -- step: jobs written
    if exists (select from pgjobq.cancels where shard = p_shard) then
        cancelled := pgjobq.end_flagged(p_shard, v_back);
    end if;
    perform pgjobq.forget_progress(p_shard, v_jobs.ids);
    requeued := coalesce(cardinality(v_back), 0) - coalesce(cardinality(cancelled), 0);
    if v_jobs.skipped is null then
        delete from pgjobq.leases
         where shard = p_shard and queue_id = queue and priority = v_lease.priority
           and max_ticket = v_lease.max_ticket;
    else
        skipped := v_lease.id;
    end if;
end $$;

comment on function pgjobq.reap is 'Internal. Takes back a lease of a worker that is not registered.';

-- Locks and returns a lease of a worker that has no row in `workers`. Skips leases that other sessions have
-- locked. Returns null if none is left.
create or replace function pgjobq.lock_dead_lease(p_shard smallint, p_except bigint[]) returns pgjobq.leases
language plpgsql as $$
declare
    v_worker bigint;
    v_lease pgjobq.leases;
begin
    -- `holders` are the distinct workers that hold leases: one index probe for each.
    for v_worker in
        with recursive holders as (
            (select worker from pgjobq.leases where shard = p_shard order by worker limit 1)
            union all
            -- The inner query is null after the last worker, which ends the recursion.
            select (select worker from pgjobq.leases where shard = p_shard and worker > h.worker
                     order by worker limit 1)
              from holders h where h.worker is not null)
        select worker from holders h
         where worker is not null
           and not exists (select from pgjobq.workers w where w.shard = p_shard and w.id = h.worker)
    loop
        select * into v_lease from pgjobq.leases
         where shard = p_shard and worker >= v_worker and worker <= v_worker and id <> all (p_except)
         -- A probe: see `plans.sql`.
         order by worker limit 1 for update skip locked;
        exit when found;
    end loop;
    return v_lease;
end $$;

comment on function pgjobq.lock_dead_lease is 'Internal. Locks a lease of a worker that is not registered.';

-- Returns a decision for each job of a dead worker: `bury` if the job has already had `max_crashes` crashes,
-- or if its number of attempts cannot grow further; otherwise `crash`.
create or replace function pgjobq.decide_crashes(p_shard smallint, p_jobs uuid[])
returns text[] language plpgsql as $$
begin
    return array(
        select case when j.crashes >= j.max_crashes or j.attempt >= 2000000000 then 'bury' else 'crash' end
          from unnest(p_jobs) with ordinality d(id, n),
               lateral pgjobq.job_row(p_shard, d.id) j
         order by d.n);
end $$;

comment on function pgjobq.decide_crashes is
    'Internal. Decides what the death of their worker means for jobs.';
