-- Upkeep: workers that say they live, the jobs of those that no longer do, and scheduled jobs that come due. Every worker
-- does all of it, all the time; there is no leader, because each step is a compare-and-set.

-- Registers a worker. `p_lease` is how long it may be silent before others take its jobs.
create function pgjobq.register_worker(p_shard smallint, p_worker bigint, p_name text, p_lease interval default '30 seconds')
returns void language plpgsql as $$
begin
    insert into pgjobq.workers (shard, id, name, lease) values (p_shard, p_worker, p_name, p_lease);
end $$;

-- Says that the worker lives, and lists the leases that it has. `alive` is false when the worker was given up: it holds
-- nothing any more. `age` is in microseconds.
create function pgjobq.heartbeat(
    p_shard smallint, p_worker bigint,
    out alive boolean, out queues int[], out priorities smallint[], out his bigint[], out ids bigint[], out ages bigint[])
language plpgsql
    set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off
    set enable_sort = off set enable_memoize = off set jit = off
    set plan_cache_mode = force_generic_plan as $$
declare
    v_now timestamptz := clock_timestamp();
begin
    update pgjobq.workers set beats = beats + 1, seen_at = v_now where shard = p_shard and id = p_worker;
    alive := found;
    -- step: seen
    select array_agg(queue_id), array_agg(priority), array_agg(hi), array_agg(id),
           -- Claimed in the future: the clock was set back since, and the claim's answer is not on its way any more.
           array_agg((abs(extract(epoch from clock_timestamp() - claimed_at)) * 1000000)::bigint)
      into queues, priorities, his, ids, ages
      from (select queue_id, priority, hi, id, claimed_at from pgjobq.leases
             where shard = p_shard and worker >= p_worker and worker <= p_worker
             order by worker offset 0) l;
end $$;

create function pgjobq.set_idle(p_shard smallint, p_worker bigint, p_queues int[]) returns void language plpgsql as $$
begin
    update pgjobq.workers set idle = p_queues where shard = p_shard and id = p_worker and idle <> p_queues;
end $$;

-- A worker that holds nothing leaves.
create function pgjobq.leave(p_shard smallint, p_worker bigint) returns void language plpgsql as $$
begin
    delete from pgjobq.workers where shard = p_shard and id = p_worker;
end $$;

-- The jobs that still have a ticket of a lease, in the order of their id.
-- The order by `ticket` leaves the planner no other index than those of the two lines. Callers pin the plan.
create function pgjobq.jobs_of_lease(
    p_shard smallint, p_queue int, p_priority smallint, p_tickets int8multirange, out ids uuid[], out held bigint[])
language plpgsql as $$
begin
    select coalesce(array_agg(j.id order by j.id), '{}'), coalesce(array_agg(j.ticket order by j.id), '{}')
      into ids, held
      from unnest(p_tickets) r(tickets),
           lateral ((select id, ticket from pgjobq.jobs
                      where shard = p_shard and queue_id = p_queue and priority = p_priority and ticket is not null
                        and crashes = 0 and ticket >= lower(r.tickets) and ticket < upper(r.tickets)
                      order by ticket offset 0)
                    union all
                    (select id, ticket from pgjobq.jobs
                      where shard = p_shard and queue_id = p_queue and priority = p_priority and ticket is not null
                        and crashes > 0 and ticket >= lower(r.tickets) and ticket < upper(r.tickets)
                      order by ticket offset 0)) j;
end $$;

-- The same, locked; `kept` is how many of them somebody else has locked, and null when that is none.
create function pgjobq.lock_jobs_of_lease(
    p_shard smallint, p_queue int, p_priority smallint, p_tickets int8multirange,
    out ids uuid[], out held bigint[], out kept bigint)
language plpgsql as $$
declare
    v_listed uuid[];
    v_tickets bigint[];
    v_ticket bigint;
begin
    select l.ids, l.held into v_listed, v_tickets from pgjobq.jobs_of_lease(p_shard, p_queue, p_priority, p_tickets) l;
    ids := '{}';
    held := '{}';
    for i in 1..cardinality(v_listed) loop
        -- By id alone: with the ticket as well, the planner may walk the other index.
        select ticket into v_ticket from pgjobq.jobs where shard = p_shard and id = v_listed[i] for update skip locked;
        if not found then
            kept := coalesce(kept, 0) + 1;
        elsif v_ticket = v_tickets[i] then
            ids := ids || v_listed[i];
            held := held || v_ticket;
        end if;
    end loop;
end $$;

-- Gives back a lease whose claim's answer never arrived: its jobs are as if they had never been claimed. (A locked row is
-- about to be completed after all, by an attempt that this worker has given up. Then the lease stays.)
create function pgjobq.return_lease(
    p_shard smallint, p_worker bigint, p_queue int, p_priority smallint, p_hi bigint, p_id bigint) returns int
language plpgsql
    set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off
    set enable_sort = off set enable_memoize = off set jit = off
    set plan_cache_mode = force_generic_plan as $$
declare
    v_tickets int8multirange;
    v_jobs uuid[];
    v_held bigint[];
    v_kept bigint;
    v_new bigint[];
begin
    select tickets into v_tickets from pgjobq.leases
     where shard = p_shard and queue_id = p_queue and priority = p_priority and hi = p_hi and id = p_id and worker = p_worker
       for update skip locked;
    if not found then
        return 0;
    end if;
    -- step: lease locked
    select l.ids, l.held, l.kept into v_jobs, v_held, v_kept from pgjobq.lock_jobs_of_lease(p_shard, p_queue, p_priority, v_tickets) l;
    v_new := pgjobq.draw_tickets(cardinality(v_jobs));
    update pgjobq.jobs j set ticket = mine.new_ticket
      from (select x.ctid, d.id, d.ticket, v_new[d.place] as new_ticket
              from unnest(v_jobs, v_held) with ordinality d(id, ticket, place),
                   lateral (select ctid, ticket from pgjobq.jobs where shard = p_shard and id = d.id offset 0) x
             where x.ticket = d.ticket
            offset 0) mine
     where j.ctid = mine.ctid and j.shard = p_shard and j.id = mine.id and j.ticket = mine.ticket;
    -- step: jobs written
    if v_kept is null then
        delete from pgjobq.leases
         where shard = p_shard and queue_id = p_queue and priority = p_priority and hi = p_hi and id = p_id;
    end if;
    return cardinality(v_jobs);
end $$;

-- Deletes the rows of workers whose number of heartbeats is still the one that a judge has seen for too long. A worker that
-- is in a claim just now is left for the next time. Returns how many were given up.
create function pgjobq.give_up_workers(p_shard smallint, p_workers bigint[], p_beats bigint[]) returns int language plpgsql
    set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off
    set enable_sort = off set enable_memoize = off set jit = off
    set plan_cache_mode = force_generic_plan as $$
declare
    v_count int;
begin
    with silent as materialized (
        select w.id from unnest(p_workers, p_beats) s(id, beats)
          join pgjobq.workers w on w.shard = p_shard and w.id = s.id and w.beats = s.beats
         order by w.id for update of w skip locked)
    delete from pgjobq.workers w using silent s where w.shard = p_shard and w.id = s.id;
    get diagnostics v_count = row_count;
    return v_count;
end $$;

-- Takes back one lease of a worker that is not there (any more), but none of `p_except`. Each job that still has its ticket is
-- charged with a crash and gets a new ticket, in the quarantine; or it is dead, one past its crash budget; or cancelled, when
-- somebody has asked for that. A job whose row is locked is about to be completed by a transaction of its own: it is passed
-- over, and its lease stays, and is told in `kept`. `queue` is null when there was no such lease.
create function pgjobq.reap(
    p_shard smallint, p_except bigint[],
    out requeued int, out buried uuid[], out cancelled uuid[], out kept bigint, out queue int)
language plpgsql
    set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off
    set enable_sort = off set enable_memoize = off set jit = off
    set plan_cache_mode = force_generic_plan as $$
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

-- Finds the shards that have scheduled jobs to promote: one index probe per shard, which starts at its cursor `p_after`.
-- The next round may start at `looked` in the shards that are not `due`. `next_due` is the time in microseconds until the next
-- job of those shards comes due; `promote` returns it for the others.
create function pgjobq.find_due(
    p_shards smallint[], p_after timestamptz[], out due smallint[], out looked timestamptz, out next_due bigint)
language plpgsql
    set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off
    set enable_sort = off set enable_memoize = off set jit = off
    set plan_cache_mode = force_generic_plan as $$
declare
    v_now timestamptz := clock_timestamp();
    v_next timestamptz;
begin
    looked := v_now - interval '1 second';
    select array_agg(s.shard) filter (where j.run_at <= v_now), min(j.run_at) filter (where j.run_at > v_now)
      into due, v_next
      from unnest(p_shards, p_after) s(shard, after),
           lateral (select run_at from pgjobq.jobs
                     where shard = s.shard and run_at is not null and waits_for = 0 and run_at >= least(s.after, v_now)
                     order by run_at limit 1) j;
    next_due := (extract(epoch from v_next - clock_timestamp()) * 1000000)::bigint;
end $$;

-- Puts up to `p_most` scheduled jobs in line that have come due since `p_after`. `reach` is how far it has looked: the time of the
-- last of them if there may be more, or else a second ago, which leaves room for transactions that commit late. Later ones are
-- found by a sweep, a call without `p_after`; any other call passes none of the dead index entries of what was promoted before.
-- `next_due` is in how many microseconds the next one comes due; null when none is scheduled.
create function pgjobq.promote(
    p_shard smallint, p_most int, p_after timestamptz default '-infinity',
    out promoted int, out queues int[], out reach timestamptz, out next_due bigint)
language plpgsql
    set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off
    set enable_sort = off set enable_memoize = off set jit = off
    set plan_cache_mode = force_generic_plan as $$
declare
    v_now timestamptz := clock_timestamp();
    v_after timestamptz := least(p_after, v_now); -- The clock may have been set back.
    v_jobs uuid[];
    v_places tid[];     -- where the locked rows are; nobody moves them any more
    v_new bigint[];
begin
    -- step: time read
    with due as materialized (
        select id, ctid as place, run_at from pgjobq.jobs
         where shard = p_shard and run_at is not null and waits_for = 0 and run_at >= v_after and run_at <= v_now
         order by run_at limit p_most for update skip locked)
    select array_agg(id order by run_at, id), array_agg(place order by run_at, id),
           case when count(*) < p_most then v_now - interval '1 second' else max(run_at) end
      into v_jobs, v_places, reach from due;
    -- step: jobs locked
    promoted := 0;
    if v_jobs is not null then
        v_new := pgjobq.draw_tickets(cardinality(v_jobs));
        with moved as (
            update pgjobq.jobs j set ticket = v_new[d.n], run_at = null
              from unnest(v_jobs, v_places) with ordinality d(id, place, n)
             where j.ctid = d.place and j.shard = p_shard and j.id = d.id and j.run_at <= v_now and j.waits_for = 0
            returning j.queue_id)
        select count(*), array_agg(distinct queue_id) into promoted, queues from moved;
    end if;
    next_due := (extract(epoch from (select run_at from pgjobq.jobs
                                          where shard = p_shard and run_at is not null and waits_for = 0 and run_at > v_now
                                          order by run_at limit 1)
                             - clock_timestamp()) * 1000000)::bigint;
end $$;

-- Advances the sequence of tickets beyond every ticket that a job or a lease has, if it was set back: a restored dump or a
-- logical replica that was promoted may have an old value. A new job would get a ticket that an old lease covers. Returns the
-- value before, and the highest ticket; null if all is well.
-- `setval` is not transactional, and nothing keeps others from drawing meanwhile. They cannot draw as many tickets between the
-- two reads of the last statement as it leaves out.
create function pgjobq.repair_tickets(out set_back bigint, out highest bigint) language plpgsql
    security definer set search_path = pg_catalog, pg_temp
    set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off
    set enable_sort = off set enable_memoize = off set jit = off as $$
declare
    c_by_hand constant bigint := 4611686018427387904;   -- nobody draws as many; a row with more was written by hand
    c_left_out constant bigint := 1000000000;
    v_drawn bigint;
begin
    select max(t.ticket) into highest
      from pgjobq.lanes l, generate_series(0, 3) p(priority),
           lateral ((select j.ticket from pgjobq.jobs j
                      where j.shard = l.shard and j.queue_id = l.queue_id and j.priority = p.priority and j.ticket is not null
                        and j.crashes = 0 and j.ticket < c_by_hand
                      order by j.ticket desc limit 1)
                    union all
                    (select j.ticket from pgjobq.jobs j
                      where j.shard = l.shard and j.queue_id = l.queue_id and j.priority = p.priority and j.ticket is not null
                        and j.crashes > 0 and j.ticket < c_by_hand
                      order by j.ticket desc limit 1)
                    union all
                    (select s.hi from pgjobq.leases s
                      where s.shard = l.shard and s.queue_id = l.queue_id and s.priority = p.priority and s.hi < c_by_hand
                      order by s.hi desc limit 1)) t(ticket);
    v_drawn := coalesce(pg_sequence_last_value('pgjobq.ticket'), 0);
    if highest > v_drawn then
        perform pg_advisory_xact_lock(hashtext('pgjobq.repair_tickets'));   -- of a second one who finds the same, too
        v_drawn := coalesce(pg_sequence_last_value('pgjobq.ticket'), 0);
    end if;
    if highest is null or highest <= v_drawn then
        highest := null;
        return;
    end if;
    set_back := v_drawn;
    perform setval('pgjobq.ticket', greatest(highest, pg_sequence_last_value('pgjobq.ticket')) + c_left_out);
end $$;

revoke execute on function pgjobq.repair_tickets from public;

-- The kinds, other than these, of jobs that were made a minute ago or earlier, and stand near the front of the lines of these queues:
-- nobody here can run them.
create function pgjobq.unknown_kinds(p_shards smallint[], p_queues int[], p_kinds text[], out queue int, out kind text)
returns setof record language plpgsql stable
    set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off
    set enable_sort = off set enable_memoize = off set jit = off
    set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
begin
    return query
    select distinct q.id, j.kind
      from unnest(p_shards) s(shard), unnest(p_queues) q(id), generate_series(0, 3) p(priority),
           lateral (select kind, created_at from pgjobq.jobs
                     where shard = s.shard and queue_id = q.id and priority = p.priority
                       and ticket is not null and crashes = 0
                     order by ticket limit 100) j
     where j.kind <> all (p_kinds) and j.created_at < clock_timestamp() - interval '1 minute'
     limit 20;
end $$;
