-- Takes back one lease of a worker that is not there (any more), but none of `p_except`. Each job that still has its ticket is
-- charged with a crash and gets a new ticket, in the quarantine; or it is dead, one past its crash budget; or cancelled, when
-- somebody has asked for that. A job whose row is locked is about to be completed by a transaction of its own: it is passed
-- over, and its lease stays, and is told in `kept`. `queue` is null when there was no such lease.
create or replace function pgjobq.reap(
    p_shard smallint, p_except bigint[],
    out requeued int, out buried uuid[], out cancelled uuid[], out kept bigint, out queue int)
language plpgsql as $$
declare
    c_what constant text := 'the worker died, or was silent for too long, while it ran the job';
    v_worker bigint;
    v_lease pgjobq.leases;
    v_jobs uuid[];
    v_held bigint[];
    v_dead uuid;
    v_job pgjobq.jobs;
    v_again uuid[];
    v_troubled uuid[];
    v_new bigint[];
begin
    -- The workers that hold leases, each found by one probe, however many leases there are.
    for v_worker in
        with recursive holders as (
            (select worker from pgjobq.leases where shard = p_shard order by worker limit 1)
            union all
            select (select worker from pgjobq.leases where shard = p_shard and worker > h.worker order by worker limit 1)
              from holders h where h.worker is not null)
        select worker from holders h
         where worker is not null
           and not exists (select 1 from pgjobq.workers w where w.shard = p_shard and w.id = h.worker)
    loop
        select * into v_lease from pgjobq.leases
         where shard = p_shard and worker >= v_worker and worker <= v_worker and id <> all (p_except)
         order by worker limit 1 for update skip locked;
        exit when found;
    end loop;
    if v_lease.id is null then
        return;
    end if;
    -- step: lease locked
    queue := v_lease.queue_id;
    select l.ids, l.held, l.kept into v_jobs, v_held, kept
      from pgjobq.lock_jobs_of_lease(p_shard, v_lease.queue_id, v_lease.priority, v_lease.tickets) l;
    -- step: jobs locked
    for v_dead in
        select d.id
          from unnest(v_jobs) d(id),
               lateral (select crashes, crash_budget, attempt from pgjobq.jobs where shard = p_shard and id = d.id offset 0) x
         where x.crashes >= x.crash_budget or x.attempt = 2147483647     -- which cannot be counted on
    loop
        delete from pgjobq.jobs where shard = p_shard and id = v_dead returning * into v_job;
        insert into pgjobq.finished (shard, id, outcome, queue_id, priority, kind, args, attributes, key, meta, attempt,
            failures, crashes, retries, crash_budget, created_at, errors, drop_on)
        values (p_shard, v_dead, 'dead', v_job.queue_id, v_job.priority, v_job.kind, v_job.args, v_job.attributes, v_job.key,
                v_job.meta, v_job.attempt + (v_job.attempt < 2147483647)::int, v_job.failures, least(v_job.crashes + 1, 32767),
                v_job.retries, v_job.crash_budget, v_job.created_at,
                pgjobq.errors_of(p_shard, v_dead,
                    pgjobq.error_entry(v_job.attempt + (v_job.attempt < 2147483647)::int, clock_timestamp(), 'crash', c_what,
                                       v_lease.worker::text)),
                pgjobq.drop_day(pgjobq.keep_of(v_job.queue_id, 'dead')));
        buried := buried || v_dead;
    end loop;
    if buried is not null then
        perform pgjobq.forget_failures(p_shard, buried);
        perform pgjobq.forget_cancels(p_shard, buried);
    end if;
    v_new := pgjobq.draw_tickets(cardinality(v_jobs));
    -- Those that are dead are no longer found.
    with again as (
        update pgjobq.jobs j
           set ticket = mine.new_ticket, attempt = j.attempt + 1, crashes = j.crashes + 1, expires_at = null
          from (select x.ctid, d.id, d.ticket, v_new[d.place] as new_ticket
                  from unnest(v_jobs, v_held) with ordinality d(id, ticket, place),
                       lateral (select ctid, ticket from pgjobq.jobs where shard = p_shard and id = d.id offset 0) x
                 where x.ticket = d.ticket
                offset 0) mine
         where j.ctid = mine.ctid and j.shard = p_shard and j.id = mine.id and j.ticket = mine.ticket
        returning j.id, j.attempt),
    noted as (
        insert into pgjobq.failures (shard, job, attempt, reason, message, worker)
        select p_shard, id, attempt, 'crash', c_what, v_lease.worker::text from again)
    select array_agg(id), array_agg(id) filter (where attempt > 110) into v_again, v_troubled from again;
    if v_troubled is not null then
        perform pgjobq.leave_out_failures(p_shard, v_troubled);
    end if;
    -- step: jobs written
    if exists (select 1 from pgjobq.cancels where shard = p_shard) then
        cancelled := pgjobq.end_flagged(p_shard, v_again);
    end if;
    perform pgjobq.forget_progress(p_shard, v_jobs);
    requeued := coalesce(cardinality(v_again), 0) - coalesce(cardinality(cancelled), 0);
    if kept is null then
        delete from pgjobq.leases
         where shard = p_shard and queue_id = v_lease.queue_id and priority = v_lease.priority and hi = v_lease.hi
           and id = v_lease.id;
    else
        kept := v_lease.id;
    end if;
end $$;
