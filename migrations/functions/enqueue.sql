-- Enqueue: one statement for a whole batch. It locks no existing row of ours, so that a caller's transaction
-- may stay open for any time, and delays no other session.

-- Enqueues one job from SQL: from psql, a trigger, another ORM, another language. An option that is left out
-- follows what programs have recorded of the kind, and then the library's defaults. A key, a weight and a
-- unique key are computed from the arguments, as the kind's code of their version says; if it computes one
-- in another way, that one must be written here. The job waits until the jobs `after` have completed, and
-- then for its `delay`; if one of them ends otherwise, it is cancelled. An unknown queue is an error here,
-- because `perform` would throw an answer away, and the job with it. Returns the job's id, or that of the job
-- that has its unique key; whether it is new; and the outcome: `new`, `duplicate`, or `dropped` (without an
-- id) if its queue is full and drops new jobs then. A key at its limit is looked at after the commit: see
-- `admit`.
--
-- `version` is that of the arguments. SQL is not deployed together with the code, and keeps the shape that it
-- was written for: so it is the first one unless the call names another, and workers lift it.
create or replace function pgjobq.enqueue(
    kind text, args jsonb default '{}', queue text default null, priority int default null,
    retries int default null,
    max_crashes int default null, run_at timestamptz default null, delay interval default null,
    id uuid default null, expires_in interval default null, traceparent text default null,
    after uuid[] default null, attributes jsonb default null, key text default null,
    unique_key text default null, weight int default null, on_conflict text default null,
    unique_while text default null, on_duplicate text default null, version int default 1,
    out job uuid, out is_new boolean, out outcome text)
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    v_at timestamptz := pgjobq.resolve_run_at(enqueue.run_at, enqueue.delay, enqueue.expires_in);
    v_delay bigint := case when enqueue.after <> '{}' then extract(epoch from enqueue.delay) * 1000000 end;
    v_kind pgjobq.kinds;
    v_queue text;
    v_own record;
    v_answer record;
begin
    perform pgjobq.check_kind(enqueue.kind), pgjobq.check_args(enqueue.args),
            pgjobq.check_numbers(enqueue.priority, enqueue.retries, enqueue.max_crashes),
            pgjobq.check_attributes(enqueue.attributes),
            pgjobq.check_limits(enqueue.unique_key, enqueue.weight, enqueue.on_conflict),
            pgjobq.check_version(enqueue.version);
    v_kind := pgjobq.recorded_kind(enqueue.kind);
    v_queue := coalesce(enqueue.queue, v_kind.queue, 'default');
    select * into v_own from pgjobq.compute(
        v_kind, v_queue, enqueue.args, enqueue.version, enqueue.id, enqueue.key, enqueue.unique_key,
        enqueue.weight, enqueue.on_conflict, enqueue.unique_while, enqueue.on_duplicate);
    job := v_own.job;
    select * into v_answer from pgjobq.enqueue_many(
        array[enqueue.kind], array[v_queue],
        array[coalesce(enqueue.priority, v_kind.priority, 1)::smallint],
        array[coalesce(enqueue.retries, v_kind.retries, 20)::smallint],
        array[coalesce(enqueue.max_crashes, v_kind.max_crashes, 3)::smallint],
        array[job], array[1], array[enqueue.args::text],
        array[pgjobq.with_version(jsonb_strip_nulls(jsonb_build_object('traceparent', enqueue.traceparent)),
                                  to_jsonb(enqueue.version))::text],
        array[nullif(enqueue.attributes, '{}')::text], array[v_own.key],
        array[v_delay], array[case when v_delay is null then extract(epoch from v_at) * 1000000 end::bigint],
        array[(extract(epoch from enqueue.expires_in) * 1000000)::bigint], true, null,
        p_edges => (select jsonb_agg(jsonb_build_object('child', 1, 'parent', parent, 'demand', 'o'))
                      from unnest(enqueue.after) parent),
        p_weight => array[v_own.weight], p_unique_key => nullif(array[v_own.unique_key], '{null}'),
        p_shape_options => array[v_own.options]);
    perform pgjobq.reject_parents(job, enqueue.after, v_answer.refused);
    perform pgjobq.reject_answer(enqueue.kind, v_queue, job, v_answer.unknown, v_answer.other_kind,
                                 v_answer.misplaced, v_answer."full" -> v_queue);
    is_new := v_answer.inserted = 1;
    outcome := case when is_new then 'new' when v_answer."full" is null then 'duplicate' else 'dropped' end;
    job := case when outcome <> 'dropped' then coalesce((v_answer.held->0->>1)::uuid, job) end;
end $$;

comment on function pgjobq.enqueue is
    'Public. Enqueues one job. Returns its id, whether it is new, and `new`, `duplicate` or `dropped`.';

-- What programs have recorded of a kind; with the name alone if none has.
create or replace function pgjobq.recorded_kind(p_kind text) returns pgjobq.kinds
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    v_kind pgjobq.kinds;
begin
    select * into v_kind from pgjobq.kinds where kind = p_kind;
    if not found then
        raise notice 'no program has recorded the kind %', quote_literal(p_kind)
            using hint = 'The job waits for a worker with a job function of that kind. Is the name right?';
        v_kind.kind := p_kind;
    end if;
    return v_kind;
end $$;

comment on function pgjobq.recorded_kind is 'Internal. What programs have recorded of a kind.';

-- Raises the error for a job that was refused.
create or replace function pgjobq.reject_answer(
    p_kind text, p_queue text, p_id uuid, p_unknown text[], p_other_kind uuid[], p_misplaced uuid[],
    p_full jsonb)
returns void language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if p_unknown is not null then
        raise exception 'there is no queue %', quote_literal(p_queue) using errcode = 'undefined_object',
            hint = format('Create it: select pgjobq.create_queue(%L);', p_queue);
    elsif p_other_kind is not null then
        raise exception 'job % is live with another kind than %', p_id, quote_literal(p_kind)
            using errcode = 'unique_violation';
    elsif p_misplaced is not null then
        raise exception 'job % is under a limit or unique, and its id is on another shard than those with '
                        'which it is compared', p_id
            using errcode = 'invalid_parameter_value', hint = 'Leave out the id: the function makes one.';
    elsif p_full ->> 'when_full' <> 'drop_new' then
        raise exception 'queue % is full: its bound is %', quote_literal(p_queue), p_full ->> 'bound'
            using errcode = 'PJ003',
                hint = 'Try again when jobs of it have ended; select pgjobq.room(queue) says how many fit.';
    end if;
end $$;

comment on function pgjobq.reject_answer is 'Internal. Raises the error for a job that was refused.';

-- Inserts a batch. What many rows share stands once in the `p_shape` arrays, and each row names its shape.
-- Rows come in the order of (shard, id), so that two batches with the same ids cannot wait for each other in
-- a circle.
--
-- One statement reads what it has to know: each has a fixed cost, which is most of the cost of a small batch.
--
-- Times are microseconds: `p_delay` and `p_expires` from now, `p_at` since 1970. Without one the job is due.
-- The delay of a blocked job begins when it waits for no parent any more.
--
-- It answers, and does not raise, what a caller can repair: `unknown` queues (then nothing was inserted),
-- `duplicate` ids, which are live already, and among these `other_kind`, which are live with another kind.
-- `wake` are the queues in which a worker waits to be notified, and 0 if a job has a time of its own, because
-- only then workers look for due jobs. With `p_notify` the function notifies them itself, when the caller's
-- transaction commits. With `p_patience` it waits at most that many milliseconds for an open transaction that
-- has inserted one of its ids. It raises PJ002 if the schema no longer admits a program of the version
-- `p_program`. `p_waits_for` are the numbers of parents in the same workflow; a job with parents is blocked.
-- `p_edges` are other jobs that those of the batch wait for: see `new_edges`. If some of those cannot be
-- waited for, `refused` has them, and nothing was inserted; nor if some jobs are `misplaced`: see
-- `misplaced_jobs`.
--
-- `p_weight` and `p_unique_key` are null if no job has one. `p_shape_options` has what else the shapes say of
-- limits and unique keys, each as JSON; null if none says anything. `limited` is true if new jobs wait for
-- permits: then the caller calls `admit_jobs` with the ids, once this has committed. With `p_notify` the
-- function notifies the workers of them instead. `held`, `holders` and `asked` are of unique jobs: see
-- `insert_unique`; the `duplicate` ids include the held ones.
--
-- If a queue has a bound, `enqueue_bounded` takes room first, as `p_room` says, and calls this function
-- again: then `p_counted` are the queues whose jobs have their places.
--
-- With its own choice of plans PostgreSQL would plan the first statement anew in each call: it expects fewer
-- shapes where it can see their array, and believes that such a plan is cheaper.
create or replace function pgjobq.enqueue_many(
    p_shape_kind text[], p_shape_queue text[], p_shape_priority smallint[], p_shape_retries smallint[],
    p_shape_max_crashes smallint[], p_id uuid[], p_shape int[], p_args text[], p_meta text[],
    p_attributes text[], p_key text[], p_delay bigint[], p_at bigint[], p_expires bigint[],
    p_notify boolean, p_patience int, p_program int default null, p_waits_for int[] default null,
    p_edges jsonb default null, p_weight int[] default null, p_unique_key text[] default null,
    p_shape_options text[] default null, p_room text default 'all', p_counted int[] default null,
    out inserted int, out unknown text[], out duplicate uuid[], out other_kind uuid[], out wake int[],
    out refused jsonb, out limited boolean, out misplaced uuid[], out "full" jsonb, out held jsonb)
language plpgsql set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan as $$
declare
    v_now timestamptz := clock_timestamp();     -- The start of a long transaction would be too early.
    v_shards smallint; v_oldest int; v_queues int[]; v_idle int[]; v_any jsonb;
    v_new uuid[]; v_set text; v_edges pgjobq.edges[]; v_limits smallint[];
begin
    if p_patience is not null then v_set := set_config('lock_timeout', p_patience::text, true); end if;
    select s.shards, s.oldest_program, s.limited, q.ids,
           array(select distinct i.id from pgjobq.workers w, unnest(w.idle) i(id)
                  where w.shard = 0 and (i.id = any (q.ids) or -i.id = any (q.ids)))
      into v_shards, v_oldest, v_any, v_queues, v_idle
      from pgjobq.settings s,
           lateral (select array(select (select case when o.is_bounded then -o.id else o.id end
                                      from pgjobq.queues o where o.name = shape.name and o.deleted_at is null)
                                   from unnest(p_shape_queue) with ordinality shape(name, n)
                                  order by n) as ids offset 0) q;
    if p_program < v_oldest then perform pgjobq.reject_program(); end if;
    if array_position(v_queues, null) is not null then
        unknown := array(select name from unnest(p_shape_queue, v_queues) u(name, id) where id is null);
    elsif p_counted is null and 0 > any (v_queues) then     -- The ids of bounded queues are negative here.
        select * into inserted, unknown, duplicate, other_kind, wake, refused, limited, "full", held
          from pgjobq.enqueue_bounded(
              v_queues, p_shape_kind, p_shape_queue, p_shape_priority, p_shape_retries, p_shape_max_crashes,
              p_id, p_shape, p_args, p_meta, p_attributes, p_key, p_delay, p_at, p_expires, p_notify,
              p_patience, p_program, p_waits_for, p_edges, p_weight, p_unique_key, p_shape_options, p_room);
        return;
    elsif p_edges is not null then
        select e.edges, e.waits_for, e.refused into v_edges, p_waits_for, refused
          from pgjobq.new_edges(v_now, v_shards, p_id, p_edges, p_waits_for) e;
    end if;
    if v_any is not null then v_limits := pgjobq.limits_of_shapes(
        v_any, p_shape_kind, p_shape_queue, v_shards, p_shape_options); end if;
    if v_shards > 1 and (v_limits is not null or p_unique_key is not null) then misplaced :=
        pgjobq.misplaced_jobs(v_shards, p_shape_kind, v_limits, p_id, p_shape, p_key, p_unique_key); end if;
    if coalesce(unknown::text, refused::text, misplaced::text) is not null then inserted := 0; return; end if;
    if p_delay is not null and p_waits_for is not null then select * into p_meta, p_delay
        from pgjobq.delays_of_blocked(p_waits_for, p_meta, p_delay); end if;
    if v_limits is not null then limited := pgjobq.any_needs_permit(v_limits); end if;
    if p_counted is not null then v_limits := pgjobq.mark_counted(v_queues, v_limits, p_counted); end if;
    -- step: queues read
    select b.inserted, b.new, b.delays, b.held into inserted, v_new, p_delay, held from pgjobq.insert_batch(
        v_now, v_shards, v_queues, p_shape_kind, p_shape_priority, p_shape_retries, p_shape_max_crashes, p_id,
        p_shape, p_args, p_meta, p_attributes, p_key, p_delay, p_at, p_expires, p_waits_for, v_limits,
        p_weight, p_unique_key, null, p_shape_options, p_patience is null, p_notify) b;
    -- step: jobs inserted
    if v_edges is not null then perform pgjobq.insert_edges(v_edges, p_notify); end if;
    if inserted < cardinality(p_id) then select d.live, d.other_kind into duplicate, other_kind
        from pgjobq.duplicates(v_shards, p_shape_kind, p_id, p_shape, v_new) d; end if;
    if limited then limited := inserted > 0 and pgjobq.announce_limited(p_id, p_notify); end if;
    if v_idle <> '{}' then wake := pgjobq.announce_jobs(v_idle, p_delay || p_at, p_notify); end if;
end $$;

comment on function pgjobq.enqueue_many is 'Internal. Inserts a batch of jobs.';

-- The queues to notify of new jobs, of which some may have times of their own. With `p_notify` it notifies
-- them, and returns null.
create or replace function pgjobq.announce_jobs(p_queues int[], p_times bigint[], p_notify boolean)
returns int[] language plpgsql as $$
begin
    if cardinality(array_remove(p_times, null)) > 0 then p_queues := p_queues || 0; end if;
    if p_notify is not true then return p_queues; end if;
    perform pg_notify(pgjobq.channel(), 'wake ' || array_to_string(p_queues, ','));
    return null;
end $$;

comment on function pgjobq.announce_jobs is 'Internal. Notifies workers of new jobs.';

-- The rows of a batch, without their tickets: a ready job has no `run_at`. (In `from`, each `unnest` would
-- first fill a table of its own.)
create or replace function pgjobq.new_rows(
    p_now timestamptz, p_shards smallint, p_queues int[], p_shape_kind text[], p_shape_priority smallint[],
    p_shape_retries smallint[], p_shape_max_crashes smallint[], p_id uuid[], p_shape int[], p_args text[],
    p_meta text[], p_attributes text[], p_key text[], p_delay bigint[], p_at bigint[], p_expires bigint[],
    p_waits_for int[], p_limits smallint[], p_weight int[], p_unique_key text[], p_slots smallint[])
returns table (
    shard smallint, id uuid, queue_id int, priority smallint, kind text, args jsonb, meta jsonb,
    attributes jsonb, key text, run_at timestamptz, expires_at timestamptz, retries smallint,
    max_crashes smallint, created_at timestamptz, waits_for int, limits smallint, weight int,
    unique_key text, unique_slot smallint)
language sql stable as $$
    select case when p_shards = 1 then 0::smallint else pgjobq.shard_of(r.id, p_shards) end,
           r.id, abs(p_queues[r.shape]), p_shape_priority[r.shape], p_shape_kind[r.shape], r.args::jsonb,
           r.meta::jsonb, r.attributes::jsonb, r.key,
           case when r.due > p_now then r.due end, p_now + r.expires * interval '1 microsecond',
           p_shape_retries[r.shape], p_shape_max_crashes[r.shape], p_now, r.waits_for, p_limits[r.shape],
           r.weight, r.unique_key, case when r.unique_key is not null then p_slots[r.shape] end
      from (select id, shape, args, meta, attributes, key, expires, coalesce(waits_for, 0) as waits_for,
                   weight, unique_key,
                   coalesce(p_now + delay * interval '1 microsecond',
                            timestamptz 'epoch' + at * interval '1 microsecond') as due
              from (select unnest(p_id) as id, unnest(p_shape) as shape, unnest(p_args) as args,
                           unnest(p_meta) as meta, unnest(p_attributes) as attributes,
                           unnest(p_key) as key, unnest(p_delay) as delay, unnest(p_at) as at,
                           unnest(p_expires) as expires, unnest(p_waits_for) as waits_for,
                           unnest(p_weight) as weight, unnest(p_unique_key) as unique_key) u
             where id is not null) r
$$;

comment on function pgjobq.new_rows is 'Internal. The rows of a batch of jobs.';

-- Moves the delays of blocked jobs to their `meta`, because a delay begins when its job waits for no parent
-- any more: see `unblock_jobs`.
create or replace function pgjobq.delays_of_blocked(
    p_waits_for int[], p_meta text[], p_delay bigint[], out meta text[], out delay bigint[])
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    select array_agg(case when u.waits > 0 and u.delay > 0
                          then (coalesce(u.meta::jsonb, '{}') || jsonb_build_object('delay', u.delay))::text
                          else u.meta end order by n),
           array_agg(case when (u.waits > 0) is not true then u.delay end order by n)
      into meta, delay
      from unnest(p_waits_for, p_meta, p_delay) with ordinality u(waits, meta, delay, n);
end $$;

comment on function pgjobq.delays_of_blocked is 'Internal. Moves the delays of blocked jobs to their `meta`.';

-- Inserts a batch, and leaves out jobs whose ids are live or null. `new` are the ids of the others; null
-- after a large batch without such jobs. Without `p_slots`, unique jobs are left out as `insert_unique` says,
-- which has the other answers.
create or replace function pgjobq.insert_batch(
    p_now timestamptz, p_shards smallint, p_queues int[], p_shape_kind text[], p_shape_priority smallint[],
    p_shape_retries smallint[], p_shape_max_crashes smallint[], p_id uuid[], p_shape int[], p_args text[],
    p_meta text[], p_attributes text[], p_key text[], p_delay bigint[], p_at bigint[], p_expires bigint[],
    p_waits_for int[], p_limits smallint[], p_weight int[], p_unique_key text[], p_slots smallint[],
    p_options text[] default null, p_is_callers boolean default null, p_notify boolean default null,
    out inserted int, out new uuid[], out held jsonb, out delays bigint[])
language plpgsql as $$
begin
    delays := p_delay;
    if p_unique_key is not null and p_slots is null then
        select u.* into inserted, new, held, delays from pgjobq.insert_unique(
            p_now, p_shards, p_queues, p_shape_kind, p_shape_priority, p_shape_retries, p_shape_max_crashes,
            p_id, p_shape, p_args, p_meta, p_attributes, p_key, p_delay, p_at, p_expires, p_waits_for,
            p_limits, p_weight, p_unique_key, p_options, p_is_callers, p_notify) u;
        return;
    elsif cardinality(p_id) >= 50 and array_position(p_id, null) is null then
        inserted := pgjobq.insert_large_batch(
            p_now, p_shards, p_queues, p_shape_kind, p_shape_priority, p_shape_retries, p_shape_max_crashes,
            p_id, p_shape, p_args, p_meta, p_attributes, p_key, p_delay, p_at, p_expires, p_waits_for,
            p_limits, p_weight, p_unique_key, p_slots);
        if inserted is not null then return; end if;
    end if;
    with n as (
        insert into pgjobq.jobs (shard, id, queue_id, priority, kind, args, meta, attributes, key, run_at,
            expires_at, retries, max_crashes, created_at, waits_for, limits, weight, unique_key,
            unique_slot, arrival, ticket)
        select r.*, case when pgjobq.needs_permit(r.limits) then nextval('pgjobq.ticket') end,
               case when r.run_at is null and r.waits_for = 0 and not pgjobq.needs_permit(r.limits)
                    then nextval('pgjobq.ticket') end
          from pgjobq.new_rows(
              p_now, p_shards, p_queues, p_shape_kind, p_shape_priority, p_shape_retries, p_shape_max_crashes,
              p_id, p_shape, p_args, p_meta, p_attributes, p_key, p_delay, p_at, p_expires, p_waits_for,
              p_limits, p_weight, p_unique_key, p_slots) r
        on conflict do nothing
        returning id)
    select array_agg(id), count(*) into new, inserted from n;
end $$;

comment on function pgjobq.insert_batch is 'Internal. Inserts a batch, without duplicates.';

-- Inserts a large batch, which expects no duplicate: then PostgreSQL need not confirm each row, which spares
-- a tenth of the WAL and a fifth of the time; and nobody has to list the new ids. If the batch meets a
-- duplicate, nothing is inserted and the answer is null; otherwise it is the number of jobs. (The
-- subtransaction would cost a small batch more than it spares, and many of them in one transaction slow down
-- the snapshots of all sessions.)
create or replace function pgjobq.insert_large_batch(
    p_now timestamptz, p_shards smallint, p_queues int[], p_shape_kind text[], p_shape_priority smallint[],
    p_shape_retries smallint[], p_shape_max_crashes smallint[], p_id uuid[], p_shape int[], p_args text[],
    p_meta text[], p_attributes text[], p_key text[], p_delay bigint[], p_at bigint[], p_expires bigint[],
    p_waits_for int[], p_limits smallint[], p_weight int[], p_unique_key text[],
    p_slots smallint[])
returns int language plpgsql as $$
declare
    v_inserted int;
begin
    insert into pgjobq.jobs (shard, id, queue_id, priority, kind, args, meta, attributes, key, run_at,
        expires_at, retries, max_crashes, created_at, waits_for, limits, weight, unique_key,
        unique_slot, arrival, ticket)
    select r.*, case when pgjobq.needs_permit(r.limits) then nextval('pgjobq.ticket') end,
           case when r.run_at is null and r.waits_for = 0 and not pgjobq.needs_permit(r.limits)
                then nextval('pgjobq.ticket') end
      from pgjobq.new_rows(
          p_now, p_shards, p_queues, p_shape_kind, p_shape_priority, p_shape_retries, p_shape_max_crashes,
          p_id, p_shape, p_args, p_meta, p_attributes, p_key, p_delay, p_at, p_expires, p_waits_for,
          p_limits, p_weight, p_unique_key, p_slots) r;
    get diagnostics v_inserted = row_count;
    if v_inserted < cardinality(p_id) then
        raise unique_violation;     -- A trigger has left jobs out: the caller needs to know which.
    end if;
    return v_inserted;
exception when unique_violation then
    return null;
end $$;

comment on function pgjobq.insert_large_batch is 'Internal. Inserts a large batch, if it has no duplicate.';

-- The jobs of a batch that are not in `p_new`: they are live already. `other_kind` are those of them with
-- another kind.
create or replace function pgjobq.duplicates(
    p_shards smallint, p_shape_kind text[], p_id uuid[], p_shape int[], p_new uuid[],
    out live uuid[], out other_kind uuid[])
language plpgsql as $$
begin
    select array_agg(d.id), array_agg(d.id) filter (where j.kind <> p_shape_kind[d.shape])
      into live, other_kind
      from unnest(p_id, p_shape) d(id, shape)
      left join lateral pgjobq.job_row(pgjobq.shard_of(d.id, p_shards), d.id) j on true
     where p_new is null or d.id <> all (p_new);
end $$;

comment on function pgjobq.duplicates is 'Internal. Finds the jobs of a batch that are live already.';

-- Raises the error for a program that is older than the oldest version that the schema admits.
create or replace function pgjobq.reject_program() returns void language plpgsql
    set search_path = pg_catalog, pg_temp as $$
begin
    raise exception 'the schema does not admit this version of pgjobq' using errcode = 'PJ002',
        detail = (select format('%s %s', program, oldest_program) from pgjobq.settings);
end $$;

comment on function pgjobq.reject_program is 'Internal. Raises the error for a program that is too old.';
