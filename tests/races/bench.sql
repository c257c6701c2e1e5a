-- What the runner needs in a database, beside the shipped schema: pauses, a stage to reset, a look at everything, and a
-- drain that shows that nothing is stranded. Jobs, leases and workers are known by small numbers here.

create schema races;

-- Where a session stops, the first time that it comes to this step, until the runner opens the next gate. A session that the
-- runner did not set up passes. So does one that has passed all gates: those beyond the last are not locked.
create function races.pause(p_step text) returns void language plpgsql as $$
declare
    v_side int := nullif(current_setting('races.side', true), '');
    v_trace text := current_setting('races.trace', true);
    v_gate int;
begin
    if v_side is not null and v_trace not like '%' || p_step || '%' then
        v_gate := current_setting('races.passed')::int + 1;
        perform set_config('races.passed', v_gate::text, false),
                set_config('races.trace', v_trace || ', ' || p_step, false);
        perform pg_advisory_lock_shared(v_side, v_gate);
        perform pg_advisory_unlock_shared(v_side, v_gate);
    end if;
end $$;

create function races.id(p_number int) returns uuid language plpgsql immutable as $$
begin
    return ('00000000-0000-7000-8000-0000000000' || lpad(to_hex(p_number), 2, '0'))::uuid;
end $$;

create function races.number(p_id uuid) returns int language plpgsql immutable as $$
begin
    return get_byte(uuid_send(p_id), 15);
end $$;

-- Jobs 1 and 2 run under lease 11 of worker 1, who has been silent for long, or was given up already. Jobs 3 and 4 wait,
-- 5 waits in the quarantine, and 6 is due. Job 1 has failed before; job 2 has no crash budget, so that a crash kills it.
create function races.reset(p_given_up boolean) returns void language plpgsql as $$
declare
    v_queue int := (select id from pgjobq.queues where name = 'default');
begin
    perform pg_advisory_unlock_all();
    perform pg_advisory_lock(side, gate) from generate_series(1, 2) side, generate_series(1, 8) gate;
    delete from pgjobq.jobs;
    delete from pgjobq.leases;
    delete from pgjobq.workers;
    delete from pgjobq.failures;
    delete from pgjobq.finished;
    perform setval('pgjobq.ticket', 100);
    insert into pgjobq.workers (shard, id, name, seen_at)
    select 0, n, 'worker ' || n, clock_timestamp() - interval '1 hour'
      from generate_series(1, 2) n where n = 2 or not p_given_up;
    insert into pgjobq.jobs (shard, id, queue_id, kind, args, priority, ticket, run_at, attempt, failures, crashes, retries,
                             crash_budget, created_at)
    select 0, races.id(n), v_queue, 'kind', '{}', 3, nullif(n, 6), case n when 6 then now() - interval '1 second' end,
           (n in (1, 5))::int, (n = 1)::int, (n = 5)::int, 5, case n when 2 then 0 else 3 end, now()
      from generate_series(1, 6) n;
    insert into pgjobq.failures (shard, job, attempt, reason, message)
    values (0, races.id(1), 1, 'error', 'once'), (0, races.id(5), 1, 'crash', 'once');
    insert into pgjobq.leases (shard, queue_id, priority, hi, id, worker, tickets)
    values (0, v_queue, 3, 2, 11, 1, '{[1,3)}');
end $$;

-- Everything that there is and that decides what comes, in one snapshot.
create function races.state() returns jsonb language plpgsql stable as $$
begin
    return jsonb_build_object(
        'jobs', (select coalesce(jsonb_agg(jsonb_build_object(
                            'id', races.number(id), 'ticket', ticket, 'attempt', attempt, 'failures', failures,
                            'crashes', crashes, 'budget', crash_budget, 'priority', priority, 'due', run_at < clock_timestamp())
                        order by id), '[]') from pgjobq.jobs),
        'leases', (select coalesce(jsonb_agg(jsonb_build_object(
                              'id', id, 'worker', worker, 'priority', priority, 'hi', hi, 'tickets',
                              (select jsonb_agg(t) from unnest(tickets) r, generate_series(lower(r), upper(r) - 1) t))
                          order by id), '[]') from pgjobq.leases),
        'finished', (select coalesce(jsonb_agg(jsonb_build_object(
                                'id', races.number(id), 'outcome', outcome, 'attempt', attempt, 'crashed', crashes > 0)
                            order by id), '[]') from pgjobq.finished),
        'failures', (select coalesce(jsonb_agg(jsonb_build_object('id', races.number(job), 'attempt', attempt)
                            order by job, attempt), '[]') from pgjobq.failures),
        'workers', (select coalesce(jsonb_agg(id order by id), '[]') from pgjobq.workers));
end $$;

-- Takes everything back, claims it, and completes it. What is left, or was claimed twice, or not at all, is told.
create function races.drain() returns jsonb language plpgsql as $$
declare
    v_queue int := (select id from pgjobq.queues where name = 'default');
    v_live int[];
    v_claimed int[] := '{}';
    v_lease bigint := 1000;
    v_stale uuid[] := '{}';
    r record;
    f record;
begin
    perform pgjobq.give_up_workers(0::smallint, interval '-1 hour');
    loop
        select * into r from pgjobq.reap(0::smallint, '{}');
        exit when r.queue is null;
    end loop;
    perform pgjobq.promote(0::smallint, 100);
    perform pgjobq.register_worker(0::smallint, 99, 'drain');
    v_live := array(select races.number(id) from pgjobq.jobs order by id);
    loop
        v_lease := v_lease + 1;
        select c.ids, c.tickets into r
          from pgjobq.claim(0::smallint, v_queue, 99, v_lease, true, '{kind}', 100, '{0,0,0,0}', null, null) c;
        if r.ids is null then
            select array[c.id] as ids, array[c.ticket] as tickets into r
              from pgjobq.claim_suspect(0::smallint, v_queue, 99, v_lease, '{kind}') c;
            exit when r.ids[1] is null;
        end if;
        v_claimed := v_claimed || array(select races.number(i) from unnest(r.ids) i);
        select * into f from pgjobq.finish(
            0::smallint, 99, 'drain', array[v_queue], array[3]::smallint[], array[(select max(t) from unnest(r.tickets) t)],
            array[v_lease], array[true], array_fill(1, array[cardinality(r.ids)]), r.ids, r.tickets,
            array_fill('complete'::text, array[cardinality(r.ids)]), array_fill(null::bigint, array[cardinality(r.ids)]),
            array_fill(null::bigint, array[cardinality(r.ids)]), array_fill(null::text, array[cardinality(r.ids)]),
            array_fill(null::text, array[cardinality(r.ids)]), array_fill(null::text, array[cardinality(r.ids)]));
        v_stale := v_stale || f.stale;
        exit when v_lease > 1050;
    end loop;
    return jsonb_build_object(
        'live', v_live, 'claimed', (select coalesce(jsonb_agg(c order by c), '[]') from unnest(v_claimed) c),
        'stale', cardinality(v_stale), 'jobs', (select count(*) from pgjobq.jobs),
        'leases', (select count(*) from pgjobq.leases), 'failures', (select count(*) from pgjobq.failures));
end $$;
