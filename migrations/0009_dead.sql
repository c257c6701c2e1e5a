-- What a person does with jobs that have ended badly. Nothing else moves a job that has ended.

-- The next `p_most` that ended so, the latest first, before (p_before, p_before_id).
create function pgjobq.ended_badly(
    p_shard smallint, p_outcome text, p_queue int, p_kind text, p_before timestamptz, p_before_id uuid, p_most int)
returns setof pgjobq.finished language plpgsql stable
    set enable_seqscan = off set enable_bitmapscan = off set jit = off set search_path = pg_catalog, pg_temp as $$
begin
    return query
    select f.* from pgjobq.finished f
     where f.shard = p_shard and f.outcome = p_outcome and f.outcome <> 'completed'
       and (f.finished_at, f.id) < (p_before, p_before_id)
       and (p_queue is null or f.queue_id = p_queue) and (p_kind is null or f.kind = p_kind)
     order by f.finished_at desc, f.id desc limit p_most;
end $$;

-- Returns JSON as text, and null if that is longer than `p_most` bytes. A number such as 1e131071 is stored in some bytes and
-- printed in 131072, so that only the attempt tells, and the text may be longer than PostgreSQL can make.
create function pgjobq.printed(p_json jsonb, p_most int) returns text language plpgsql stable
    set search_path = pg_catalog, pg_temp as $$
declare
    v_text text := p_json::text;
begin
    return case when octet_length(v_text) <= p_most then v_text end;
exception when program_limit_exceeded or out_of_memory then
    return null;
end $$;

-- Shows how jobs ended, each named by its id and its end in microseconds since 1970 (null: the latest end of that id), in the
-- order of their `place` from 1 on. It stops after some MiB, with one job at least; the caller goes on after the last `place`.
-- `args` is null if the arguments alone are longer.
create function pgjobq.show_ended(p_shard smallint, p_jobs uuid[], p_at bigint[])
returns table (place int, id uuid, outcome text, queue text, kind text, args text, attempt int, failures smallint,
               crashes smallint, created_at bigint, finished_at bigint, errors text, cancelled_by text, cancelled_as text,
               cancelled_for text, cancelled_at bigint)
language plpgsql stable
    set enable_seqscan = off set enable_bitmapscan = off set jit = off set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    c_most constant int := 8388608;
    v_shown int := 0;
    v_job pgjobq.finished;
begin
    for n in 1..cardinality(p_jobs) loop
        select f.* into v_job from pgjobq.finished f
         where f.shard = p_shard and f.id = p_jobs[n]
           and (p_at is null or f.finished_at = timestamptz 'epoch' + p_at[n] * interval '1 microsecond')
         order by f.finished_at desc limit 1;
        continue when not found;
        place := n;
        id := v_job.id;
        outcome := v_job.outcome;
        queue := (select q.name from pgjobq.queues q where q.id = v_job.queue_id);
        kind := v_job.kind;
        args := pgjobq.printed(pgjobq.shown_args(v_job.kind, v_job.args), c_most);
        attempt := v_job.attempt;
        failures := v_job.failures;
        crashes := v_job.crashes;
        created_at := (extract(epoch from v_job.created_at) * 1000000)::bigint;
        finished_at := (extract(epoch from v_job.finished_at) * 1000000)::bigint;
        errors := pgjobq.readable(v_job.errors);
        cancelled_by := v_job.cancelled->>'by';
        cancelled_as := v_job.cancelled->>'role';
        cancelled_for := v_job.cancelled->>'reason';
        cancelled_at := (extract(epoch from (v_job.cancelled->>'asked_at')::timestamptz) * 1000000)::bigint;
        return next;
        v_shown := v_shown + coalesce(octet_length(args), 0) + coalesce(octet_length(errors), 0);
        exit when v_shown >= c_most;
    end loop;
end $$;

-- Puts jobs back in line that are dead, cancelled or expired: with new budgets, at once, and where given as another kind, with
-- other arguments, another queue, priority or number of retries. Their attempts go on counting. What is live (again) is
-- told in `live`; what has not ended so, or whose queue is deleted, in neither.
create function pgjobq.requeue_jobs(
    p_shard smallint, p_jobs uuid[], p_kind text, p_args text, p_queue int, p_priority smallint, p_retries smallint,
    out requeued uuid[], out live uuid[], out queues int[])
language plpgsql
    set enable_seqscan = off set enable_bitmapscan = off set jit = off set search_path = pg_catalog, pg_temp as $$
declare
    v_id uuid;
    v_job pgjobq.finished;
begin
    for v_id in select distinct id from unnest(p_jobs) d(id) order by id loop
        -- Locked, so that two who do this at once do it once. The latest end counts: an id may have run before.
        select * into v_job from pgjobq.finished where shard = p_shard and id = v_id order by finished_at desc limit 1 for update;
        if exists (select 1 from pgjobq.jobs where shard = p_shard and id = v_id) then
            live := live || v_id;
            continue;
        end if;
        continue when v_job.id is null or v_job.outcome = 'completed'
                   or not exists (select 1 from pgjobq.queues where id = coalesce(p_queue, v_job.queue_id) and deleted_at is null);
        -- step: ended job locked
        -- Created now, so that nothing which was asked of it before is about it.
        insert into pgjobq.jobs (shard, id, queue_id, priority, kind, args, attributes, key, meta, ticket, attempt, retries,
                                 crash_budget, created_at)
        values (p_shard, v_id, coalesce(p_queue, v_job.queue_id), coalesce(p_priority, v_job.priority),
                coalesce(p_kind, v_job.kind),
                coalesce(p_args::jsonb, v_job.args), v_job.attributes, v_job.key, v_job.meta, nextval('pgjobq.ticket'),
                v_job.attempt, coalesce(p_retries, v_job.retries), v_job.crash_budget, clock_timestamp())
        on conflict (shard, id) do nothing;
        if not found then
            live := live || v_id;
            continue;
        end if;
        -- What failed before is still told, should it die again.
        insert into pgjobq.failures (shard, job, attempt, at, reason, message, worker, left_out)
        select p_shard, v_id, e.attempt, e.at, e.reason, e.message, e.worker, coalesce(e.left_out, 0)
          from jsonb_to_recordset(coalesce(v_job.errors, '[]'))
                 e(attempt int, at timestamptz, reason text, message text, worker text, left_out int)
        on conflict (shard, job, attempt) do nothing;
        delete from pgjobq.finished where shard = p_shard and id = v_id and drop_on = v_job.drop_on
           and finished_at = v_job.finished_at;
        requeued := requeued || v_id;
        queues := queues || coalesce(p_queue, v_job.queue_id);
    end loop;
end $$;

-- Forgets ended jobs for good.
create function pgjobq.purge_ended(p_shard smallint, p_jobs uuid[]) returns int language plpgsql
    set enable_seqscan = off set enable_bitmapscan = off set jit = off set search_path = pg_catalog, pg_temp as $$
declare
    v_id uuid;
    v_count int := 0;
begin
    for v_id in select distinct id from unnest(p_jobs) d(id) order by id loop
        delete from pgjobq.finished where shard = p_shard and id = v_id and outcome <> 'completed';
        v_count := v_count + found::int;
    end loop;
    return v_count;
end $$;
