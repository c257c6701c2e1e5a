-- The runner's additions to the shipped schema: pauses, a reset of the stage, a look at all rows, and a drain that shows
-- that no job is stranded. Jobs, leases and workers have small numbers here.

create schema races;

-- Stops a session, the first time that it reaches this step, until the runner opens the next gate. Three kinds of sessions
-- pass: one that the runner did not set up; one that has passed all gates, because those beyond the last are not locked;
-- and one whose operation skips the step.
create function races.pause(p_step text) returns void language plpgsql as $$
declare
    v_side int := nullif(current_setting('races.side', true), '');
    v_trace text := current_setting('races.trace', true);
    v_gate int;
begin
    if v_side is not null and v_trace not like '%' || p_step || '%'
       and p_step <> all (string_to_array(current_setting('races.skipped'), ',')) then
        v_gate := current_setting('races.passed')::int + 1;
        perform set_config('races.passed', v_gate::text, false),
                set_config('races.trace', v_trace || ', ' || p_step, false);
        perform pg_advisory_lock_shared(v_side, v_gate);
        perform pg_advisory_unlock_shared(v_side, v_gate);
    end if;
end $$;

-- The time of day for the shipped functions. A session may be set behind: it stands for one that read the time a while ago.
create function races.clock() returns timestamptz language plpgsql volatile as $$
begin
    return clock_timestamp() - coalesce(nullif(current_setting('races.lag', true), ''), '0')::interval;
end $$;

-- True if the lease is gone, also if this statement has deleted it.
create function races.is_closed(p_lease bigint) returns boolean language plpgsql volatile as $$
begin
    return not exists (select from pgjobq.leases where id = p_lease);
end $$;

-- Gives the transaction up if a job cannot be completed, as the library does.
create function races.must(p_done boolean) returns boolean language plpgsql as $$
begin
    if not p_done then
        raise exception 'stale' using errcode = 'RC001';
    end if;
    return true;
end $$;

-- Lets one side go on from a gate, to the last of these, and returns when no session runs any more. Returns the scripts
-- that are over (each holds the lock of its side's gate 0 until then), and the sessions for which the others wait. After a
-- timeout it returns anyway, with a session that waits for none. It looks again each millisecond.
create function races.go(p_side int, p_gate int, p_last int, p_sides int[], p_pids int[], out is_over boolean, out blockers int[])
returns setof record language plpgsql as $$
declare
    v_over int[];
    v_waits text[];     -- arrays, as text
begin
    perform pg_advisory_unlock(p_side, gate) from generate_series(p_gate, p_last) gate;
    for round in 1..100 loop
        -- Ended sessions are read before waiting ones, because an ended session has released its locks.
        v_over := array(select side from unnest(p_sides) s(side) where races.is_over(side));
        v_waits := array(select pg_blocking_pids(pid)::text from unnest(p_pids) with ordinality p(pid, n) order by n);
        exit when not exists (select 1 from unnest(p_sides, v_waits) s(side, waits) where side <> all (v_over) and waits = '{}');
        perform pg_sleep(0.001);
    end loop;
    return query
    select side = any (v_over), waits::int[] from unnest(p_sides, v_waits) with ordinality s(side, waits, n) order by n;
end $$;

create function races.is_over(p_side int) returns boolean language plpgsql as $$
begin
    return pg_try_advisory_lock_shared(p_side, 0) and pg_advisory_unlock_shared(p_side, 0);
end $$;

create function races.id(p_number int) returns uuid language plpgsql immutable as $$
begin
    return ('00000000-0000-7000-8000-0000000000' || lpad(to_hex(p_number), 2, '0'))::uuid;
end $$;

create function races.number(p_id uuid) returns int language plpgsql immutable as $$
begin
    return get_byte(uuid_send(p_id), 15);
end $$;

-- Jobs 1 and 2 run under lease 11 of worker 1, which has been silent for long, or was reaped already. Jobs 3 and 4 wait, 5
-- is quarantined, 6 is due, and 9 is dead. Job 1 has failed before; job 2 has `max_crashes = 0`, so that a crash kills it.
create function races.reset(p_given_up boolean, p_asked int[], p_expiring int[], p_marked boolean default false)
returns void language plpgsql as $$
declare
    v_queue int := (select id from pgjobq.queues where name = 'default');
begin
    perform pg_advisory_unlock_all();
    perform pg_advisory_lock(side, gate) from generate_series(1, 3) side, generate_series(1, 9) gate;
    delete from pgjobq.jobs;
    delete from pgjobq.leases;
    delete from pgjobq.workers;
    delete from pgjobq.failures;
    delete from pgjobq.finished;
    delete from pgjobq.cancels;
    delete from pgjobq.pauses;
    update pgjobq.lanes set may_be_paused = p_marked where may_be_paused <> p_marked;
    update pgjobq.queues set deleted_at = null where deleted_at is not null;
    perform setval('pgjobq.ticket', 100);
    insert into pgjobq.workers (shard, id, name, lease)
    select 0, n, 'worker ' || n, interval '30 seconds'
      from generate_series(1, 2) n where n = 2 or not p_given_up;
    insert into pgjobq.jobs (shard, id, queue_id, kind, args, priority, ticket, run_at, expires_at, attempt, failures, crashes,
                             retries, max_crashes, created_at)
    select 0, races.id(n), v_queue, 'kind', '{}', 3, nullif(n, 6), case n when 6 then now() - interval '1 second' end,
           case when n = any (p_expiring) then now() - interval '1 second' end,
           (n in (1, 5))::int, (n = 1)::int, (n = 5)::int, 5, case n when 2 then 0 else 3 end, now()
      from generate_series(1, 6) n;
    insert into pgjobq.failures (shard, job, attempt, reason, message)
    values (0, races.id(1), 1, 'error', 'once'), (0, races.id(5), 1, 'crash', 'once');
    insert into pgjobq.leases (shard, queue_id, priority, max_ticket, id, worker, tickets)
    values (0, v_queue, 3, 2, 11, 1, '{[1,3)}');
    insert into pgjobq.finished (shard, id, outcome, queue_id, priority, kind, args, attempt, failures, crashes, retries,
                                 max_crashes, created_at, errors, drop_on)
    values (0, races.id(9), 'dead', v_queue, 3, 'kind', '{}', 2, 2, 0, 1, 3, now(),
            jsonb_build_array(pgjobq.error_entry(1, now(), 'error', 'once', 'worker 1'),
                              pgjobq.error_entry(2, now(), 'error', 'twice', 'worker 1')),
            pgjobq.drop_day(interval '1 day'));
    insert into pgjobq.cancels (shard, job, created_at, asked_by) select 0, races.id(n), now(), 'somebody' from unnest(p_asked) n;
end $$;

-- All rows that decide what happens next, in one snapshot.
create function races.state() returns jsonb language plpgsql stable as $$
begin
    return jsonb_build_object(
        'jobs', (select coalesce(jsonb_agg(jsonb_build_object(
                            'id', races.number(id), 'ticket', ticket, 'attempt', attempt, 'failures', failures,
                            'crashes', crashes, 'budget', max_crashes, 'priority', priority, 'due', run_at < clock_timestamp(),
                            'expiring', expires_at is not null, 'edited', args ? 'edited')
                        order by id), '[]') from pgjobq.jobs),
        'leases', (select coalesce(jsonb_agg(jsonb_build_object(
                              'id', id, 'worker', worker, 'priority', priority, 'max_ticket', max_ticket, 'tickets',
                              (select jsonb_agg(t) from unnest(tickets) r, generate_series(lower(r), upper(r) - 1) t))
                          order by id), '[]') from pgjobq.leases),
        'finished', (select coalesce(jsonb_agg(jsonb_build_object(
                                'id', races.number(id), 'outcome', outcome, 'attempt', attempt, 'crashed', crashes > 0,
                                'errors', jsonb_array_length(errors), 'asked', cancelled is not null)
                            order by id, finished_at), '[]') from pgjobq.finished),
        'cancels', (select coalesce(jsonb_agg(races.number(job) order by job), '[]') from pgjobq.cancels),
        'failures', (select coalesce(jsonb_agg(jsonb_build_object('id', races.number(job), 'attempt', attempt)
                            order by job, attempt), '[]') from pgjobq.failures),
        'workers', (select coalesce(jsonb_agg(id order by id), '[]') from pgjobq.workers),
        'pauses', (select count(*) from pgjobq.pauses),
        'marked', (select jsonb_agg(may_be_paused) from pgjobq.lanes));
end $$;

-- Returns the number of jobs that a claim takes although the queue is paused.
create function races.taken_in_pause(p_queue int) returns int language plpgsql as $$
declare
    v_taken int;
begin
    if not exists (select from pgjobq.pauses) then
        return 0;
    end if;
    perform pgjobq.register_worker(0::smallint, 98, 'paused');
    select count(c.id) into v_taken
      from pgjobq.claim(0::smallint, p_queue, 98, 998, true, '{kind}', 100, '{0,0,0,0}', null, null) c;
    perform pgjobq.leave(0::smallint, 98);
    delete from pgjobq.leases where worker = 98;
    delete from pgjobq.pauses;
    return v_taken;
end $$;

-- Acts on all requests, reaps every lease, claims all jobs, and completes them. Reports jobs that are left, or were claimed
-- twice or not at all; and requests for jobs that do not run and are still live.
create function races.drain() returns jsonb language plpgsql as $$
declare
    v_queues int[] := array(select id from pgjobq.queues order by id);
    v_queue int := v_queues[1];
    v_unmet int;
    v_live int[];
    v_claimed int[] := '{}';
    v_lease bigint := 1000;
    v_stale uuid[] := '{}';
    v_paused int := races.taken_in_pause(v_queue);
    r record;
begin
    perform pgjobq.act_on_cancels(0::smallint, null, races.id(0), 100);
    v_unmet := (select count(*) from pgjobq.cancels c
                 where not exists (select 1 from pgjobq.jobs j join pgjobq.leases l on l.tickets @> j.ticket where j.id = c.job));
    perform pgjobq.give_up_workers(0::smallint, array_agg(id), array_agg(beats)) from pgjobq.workers;
    loop
        select * into r from pgjobq.reap(0::smallint, '{}');
        exit when r.queue is null;
    end loop;
    perform pgjobq.act_on_cancels(0::smallint, null, races.id(0), 100);
    perform pgjobq.expire(0::smallint, '-infinity', races.id(0), 100);
    perform pgjobq.promote(0::smallint, 100);
    perform pgjobq.register_worker(0::smallint, 99, 'drain');
    v_live := array(select races.number(id) from pgjobq.jobs order by id);
    loop
        v_lease := v_lease + 1;
        select array_agg(c.id) as ids, array_agg(c.ticket) as tickets, array_agg(c.priority) as priorities into r
          from pgjobq.claim(0::smallint, v_queue, 99, v_lease, true, '{kind}', 100, '{0,0,0,0}', null, null) c where c.id is not null;
        if r.ids is null then
            select c.ids, c.tickets, c.priorities into r
              from pgjobq.claim_quarantined(0::smallint, v_queue, 99, v_lease, '{kind}', 100, true, '{0,0,0,0}') c;
            if r.ids is null then
                v_queues := v_queues[2:];
                exit when v_queues = '{}';
                v_queue := v_queues[1];
                continue;
            end if;
        end if;
        v_claimed := v_claimed || array(select races.number(i) from unnest(r.ids) i);
        v_stale := v_stale || races.complete(v_queue, v_lease, r.ids, r.tickets, r.priorities);
        exit when v_lease > 1050;
    end loop;
    return jsonb_build_object(
        'live', v_live, 'claimed', (select coalesce(jsonb_agg(c order by c), '[]') from unnest(v_claimed) c),
        'unmet', v_unmet, 'paused', v_paused, 'stale', cardinality(v_stale), 'jobs', (select count(*) from pgjobq.jobs),
        'leases', (select count(*) from pgjobq.leases), 'failures', (select count(*) from pgjobq.failures),
        'cancels', (select count(*) from pgjobq.cancels));
end $$;

-- Completes the jobs of a claim, which has one lease for each priority. Returns the stale results.
create function races.complete(p_queue int, p_lease bigint, p_ids uuid[], p_tickets bigint[], p_priorities smallint[])
returns uuid[] language plpgsql as $$
declare
    v_stale uuid[] := '{}';
    r record;
begin
    for r in
        select priority, array_agg(id) as ids, array_agg(ticket) as tickets, max(ticket) as max_ticket, count(*)::int as jobs
          from unnest(p_ids, p_tickets, p_priorities) c(id, ticket, priority) group by priority
    loop
        v_stale := v_stale || (pgjobq.finish(
            0::smallint, 99, 'drain', array[p_queue], array[r.priority], array[r.max_ticket], array[p_lease], array[true],
            array_fill(1, array[r.jobs]), r.ids, r.tickets, array_fill('delete'::text, array[r.jobs]),
            array_fill(null::bigint, array[r.jobs]), array_fill(null::bigint, array[r.jobs]),
            array_fill(null::text, array[r.jobs]), array_fill(null::text, array[r.jobs]),
            array_fill(null::text, array[r.jobs]))).stale;
    end loop;
    return v_stale;
end $$;
