-- Enqueue: one statement for a whole batch. It locks no existing row of ours, so that a caller's transaction, however long
-- it stays open, is in nobody's way.

-- Enqueues one job from SQL: from psql, a trigger, another ORM, another language. What is left out follows what the
-- programs have recorded of the kind, and then the library's defaults. Here an unknown queue is an error, because an answer
-- would be thrown away by `perform` and the job with it. Gives the job's id, and whether it is new.
create or replace function pgjobq.enqueue(
    kind text, args jsonb default '{}', queue text default null, priority int default null, retries int default null,
    crashes int default null, run_at timestamptz default null, delay interval default null, id uuid default null,
    expires_in interval default null, traceparent text default null,
    out job uuid, out is_new boolean)
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    v_id uuid := coalesce(enqueue.id, pgjobq.new_id());
    v_kind pgjobq.kinds;
    v_queue text;
    v_at timestamptz;
    v_answer record;
begin
    if enqueue.delay > interval '100 years'
       or (isfinite(enqueue.run_at) and enqueue.run_at > clock_timestamp() + interval '100 years') then
        raise exception 'a job cannot run in more than a hundred years: at %',
            coalesce('now + ' || enqueue.delay::text, enqueue.run_at::text)
            using errcode = 'datetime_field_overflow', hint = 'A unit may be wrong.';
    end if;
    v_at := coalesce(clock_timestamp() + enqueue.delay, enqueue.run_at);
    if coalesce(enqueue.kind, '') !~ '^[A-Za-z0-9_.:/-]{1,100}$' then
        raise exception 'a kind is 1 to 100 letters, digits, and _ . : / -, but this one is %', quote_nullable(enqueue.kind)
            using errcode = 'invalid_parameter_value';
    elsif enqueue.args is null then
        raise exception 'the arguments of a job are null' using errcode = 'null_value_not_allowed',
            hint = 'Leave them out, or give a JSON object with the job function''s arguments by name.';
    elsif octet_length(enqueue.args::text) > 1048576 then
        raise exception 'the arguments of a job are % bytes, more than 1 MiB', octet_length(enqueue.args::text)
            using errcode = 'program_limit_exceeded', hint = 'Store them in a table or a bucket, and enqueue their name.';
    elsif v_at is not null and not isfinite(v_at) then
        raise exception 'a job cannot run at %', v_at using errcode = 'datetime_field_overflow';
    elsif octet_length(enqueue.args::text) > 254 and jsonb_path_exists(enqueue.args,
            'strict $.**{127} ? (@.type() == "array" || @.type() == "object")', silent => true) then
        raise exception 'the arguments of a job are nested deeper than 127 arrays and objects'
            using errcode = 'program_limit_exceeded', hint = 'Flatten them, or send them as text.';
    elsif enqueue.expires_in <= '0' or (enqueue.expires_in >= '100 years') then
        raise exception 'a job cannot expire in %', enqueue.expires_in using errcode = 'datetime_field_overflow';
    elsif v_at >= clock_timestamp() + enqueue.expires_in then
        raise exception 'a job that expires in % and runs at % would never run', enqueue.expires_in, v_at
            using errcode = 'datetime_field_overflow', hint = 'Let it expire later, or run sooner.';
    elsif coalesce(enqueue.priority, 0) not between 0 and 3 then
        raise exception 'a priority is 0 (low), 1 (normal), 2 (high) or 3 (critical), not %', enqueue.priority
            using errcode = 'invalid_parameter_value';
    elsif coalesce(enqueue.retries, 0) not between 0 and 32767 or coalesce(enqueue.crashes, 0) not between 0 and 32767 then
        raise exception 'retries and crashes are 0 to 32767' using errcode = 'invalid_parameter_value';
    end if;
    select * into v_kind from pgjobq.kinds k where k.kind = enqueue.kind;
    v_queue := coalesce(enqueue.queue, v_kind.queue, 'default');
    select * into v_answer from pgjobq.enqueue_many(
        array[enqueue.kind], array[v_queue],
        array[coalesce(enqueue.priority, v_kind.priority, 1)::smallint],
        array[coalesce(enqueue.retries, v_kind.retries, 20)::smallint],
        array[coalesce(enqueue.crashes, v_kind.crash_budget, 3)::smallint],
        array[v_id], array[1], array[enqueue.args::text],
        array[nullif(jsonb_strip_nulls(jsonb_build_object('traceparent', enqueue.traceparent)), '{}')::text],
        null, array[(extract(epoch from v_at) * 1000000)::bigint],
        array[(extract(epoch from enqueue.expires_in) * 1000000)::bigint], true, null);
    if v_answer.unknown is not null then
        raise exception 'there is no queue %', quote_literal(v_queue) using errcode = 'undefined_object',
            hint = format('Create it: select pgjobq.create_queue(%L);', v_queue);
    elsif v_answer.other_kind is not null then
        raise exception 'job % is live with another kind than %', v_id, quote_literal(enqueue.kind)
            using errcode = 'unique_violation';
    end if;
    job := v_id;
    is_new := v_answer.inserted = 1;
end $$;

-- The jobs of one batch: what many rows share is said once, in the `p_shape` arrays, and each row names its shape. Rows
-- come in the order of (shard, id), so that two batches with the same ids cannot wait for each other in a circle.
-- One generic plan, because planning anew took half the time of a single enqueue.
-- Answers, and never raises, what a caller can mend: unknown queues (then nothing was inserted), ids that are live already,
-- ids that are live with another kind, and the queues in which a worker waits to be notified (and 0 if any job has a time of
-- its own, so that only then workers look for due jobs). With `p_notify` it
-- notifies them itself, when the caller's transaction commits. With `p_patience` it waits no longer than so many
-- milliseconds for a transaction that has inserted one of its ids and is still open. Raises PJ002 if the schema no longer admits
-- a program of the version `p_program`.
create or replace function pgjobq.enqueue_many(
    p_shape_kind text[], p_shape_queue text[], p_shape_priority smallint[], p_shape_retries smallint[],
    p_shape_crashes smallint[],
    p_id uuid[], p_shape int[], p_args text[], p_meta text[],
    p_delay bigint[], p_at bigint[], p_expires bigint[],   -- microseconds: from now, since 1970 (neither is now), from now
    p_notify boolean, p_patience int, p_program int default null,
    out inserted int, out unknown text[], out duplicate uuid[], out other_kind uuid[], out wake int[])
language plpgsql
    set search_path = pg_catalog, pg_temp as $$
declare
    c_large constant int := 50;
    v_now timestamptz := clock_timestamp();     -- The start of a long transaction would be too early.
    v_shards smallint;
    v_oldest int;
    v_queues int[];
    v_new uuid[];
begin
    if p_patience is not null then
        perform set_config('lock_timeout', p_patience::text, true);
    end if;
    select shards, oldest_program into v_shards, v_oldest from pgjobq.settings;
    if p_program < v_oldest then
        raise exception 'the schema does not admit this version of pgjobq' using errcode = 'PJ002',
            detail = (select format('%s %s', program, oldest_program) from pgjobq.settings);
    end if;
    select array_agg(q.id order by s.n), array_agg(s.name) filter (where q.id is null) into v_queues, unknown
      from unnest(p_shape_queue) with ordinality s(name, n) left join pgjobq.queues q on q.name = s.name and q.deleted_at is null;
    if unknown is not null then
        inserted := 0;
        return;
    end if;
    -- step: queues read
    -- A large batch expects no duplicate: then PostgreSQL need not confirm each row, which spares a tenth of the WAL and a
    -- fifth of the time. If it meets one it is taken back, and goes the way of a small batch. (The subtransaction would cost
    -- a small one more than it spares, and many of them in one transaction slow down everybody's snapshots.)
    if cardinality(p_id) >= c_large then
        begin
            with new as (
                insert into pgjobq.jobs (shard, id, queue_id, priority, kind, args, meta, ticket, run_at, expires_at, retries,
                    crash_budget, created_at)
                select case when v_shards = 1 then 0 else pgjobq.shard_of(r.id, v_shards) end,
                       r.id, v_queues[r.shape], p_shape_priority[r.shape], p_shape_kind[r.shape], r.args::jsonb, r.meta::jsonb,
                       case when r.due is null or r.due <= v_now then nextval('pgjobq.ticket') end,
                       case when r.due > v_now then r.due end, v_now + r.expires * interval '1 microsecond',
                       p_shape_retries[r.shape], p_shape_crashes[r.shape], v_now
                  from (select id, shape, args, meta, expires,
                               coalesce(v_now + delay * interval '1 microsecond',
                                        timestamptz 'epoch' + at * interval '1 microsecond') as due
                          from unnest(p_id, p_shape, p_args, p_meta, p_delay, p_at, p_expires)
                               u(id, shape, args, meta, delay, at, expires)) r
                returning id)
            select array_agg(id), count(*) into v_new, inserted from new;
        exception when unique_violation then
            inserted := null;
        end;
    end if;
    if inserted is null then
        with new as (
            insert into pgjobq.jobs (shard, id, queue_id, priority, kind, args, meta, ticket, run_at, expires_at, retries,
                    crash_budget, created_at)
            select case when v_shards = 1 then 0 else pgjobq.shard_of(r.id, v_shards) end,
                   r.id, v_queues[r.shape], p_shape_priority[r.shape], p_shape_kind[r.shape], r.args::jsonb, r.meta::jsonb,
                   case when r.due is null or r.due <= v_now then nextval('pgjobq.ticket') end,
                   case when r.due > v_now then r.due end, v_now + r.expires * interval '1 microsecond',
                   p_shape_retries[r.shape], p_shape_crashes[r.shape], v_now
              from (select id, shape, args, meta, expires,
                           coalesce(v_now + delay * interval '1 microsecond',
                                    timestamptz 'epoch' + at * interval '1 microsecond') as due
                      from unnest(p_id, p_shape, p_args, p_meta, p_delay, p_at, p_expires)
                               u(id, shape, args, meta, delay, at, expires)) r
            on conflict (shard, id) do nothing
            returning id)
        select array_agg(id), count(*) into v_new, inserted from new;
    end if;
    -- step: jobs inserted
    if inserted < cardinality(p_id) then
        select array_agg(d.id), array_agg(d.id) filter (where j.kind <> p_shape_kind[d.shape])
          into duplicate, other_kind
          from unnest(p_id, p_shape) d(id, shape)
          left join lateral (select kind from pgjobq.jobs
                              where shard = pgjobq.shard_of(d.id, v_shards) and id = d.id offset 0) j on true
         where v_new is null or d.id <> all (v_new);
    end if;
    select array_agg(distinct q.id) into wake
      from pgjobq.workers w, unnest(w.idle) q(id)
     where w.shard = any (array(select s::smallint from generate_series(0, v_shards - 1) s)) and q.id = any (v_queues);
    if wake is not null and (cardinality(array_remove(p_delay, null)) > 0 or cardinality(array_remove(p_at, null)) > 0) then
        wake := wake || 0; -- No queue: something was scheduled.
    end if;
    if p_notify and wake is not null then
        perform pg_notify(pgjobq.channel(), 'wake ' || array_to_string(wake, ','));
        wake := null;
    end if;
end $$;
