-- Dead, cancelled and expired jobs, for people. Nothing else moves a job that has ended.

-- The next `p_most` jobs with this outcome, the latest first, before (p_before, p_before_id).
create or replace function pgjobq.ended_badly(
    p_shard smallint, p_outcome text, p_queue int, p_kind text, p_before timestamptz, p_before_id uuid,
    p_most int)
returns setof pgjobq.finished language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    return query
    select f.* from pgjobq.finished f
     where f.shard = p_shard and f.outcome = p_outcome and f.outcome <> 'completed'
       and (f.finished_at, f.id) < (p_before, p_before_id)
       and (p_queue is null or f.queue_id = p_queue) and (p_kind is null or f.kind = p_kind)
     order by f.finished_at desc, f.id desc limit p_most;
end $$;

comment on function pgjobq.ended_badly is
    'Internal. Lists dead, cancelled or expired jobs, the latest first.';

-- Shows how jobs ended, each named by its id and its end in microseconds since 1970 (null: the latest end of
-- that id). `place` counts from 1. It stops after 8 MiB, with one job at least, and the caller goes on after
-- the last `place`. `args` is null if the arguments alone are longer.
create or replace function pgjobq.show_ended(p_shard smallint, p_jobs uuid[], p_at bigint[])
returns table (place int, id uuid, outcome text, queue text, kind text, args text, attempt int, failures int,
               crashes int, created_at bigint, finished_at bigint, errors text, cancelled_by text,
                   cancelled_as text,
               cancelled_for text, cancelled_at bigint)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
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
        args := pgjobq.printed(pgjobq.shown_args(v_job.kind, v_job.args, v_job.meta), c_most);
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

comment on function pgjobq.show_ended is 'Internal. Shows how jobs ended.';

-- The last ends of these jobs: the events of jobs that ended without an attempt.
create or replace function pgjobq.ended_as(p_shards smallint[], p_ids uuid[])
returns table (id uuid, queue text, kind text, outcome text, attempt int)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
    return query
    select w.id, q.name, f.kind, f.outcome, f.attempt
      from unnest(p_shards, p_ids) w(shard, id),
           lateral (select queue_id, kind, outcome, attempt from pgjobq.finished
                     where shard = w.shard and id = w.id
                     order by finished_at desc limit 1) f,
           lateral (select name from pgjobq.queues where id = f.queue_id offset 0) q;
end $$;

comment on function pgjobq.ended_as is 'Internal. The last ends of jobs.';

-- Returns JSON as text, or null if that is longer than `p_most` bytes. A number such as 1e131071 is stored in
-- a few bytes and printed in 131072, so only the attempt shows the length. The text may be longer than
-- PostgreSQL can make.
create or replace function pgjobq.printed(p_json jsonb, p_most int) returns text language plpgsql stable
    set search_path = pg_catalog, pg_temp as $$
declare
    v_text text := p_json::text;
begin
    return case when octet_length(v_text) <= p_most then v_text end;
exception when program_limit_exceeded or out_of_memory then
    return null;
end $$;

comment on function pgjobq.printed is 'Internal. Prints JSON, unless it is too long.';

-- Deletes dead, cancelled or expired jobs.
create or replace function pgjobq.purge_ended(p_shard smallint, p_jobs uuid[])
returns int language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    v_id uuid;
    v_count int := 0;
    v_last timestamptz;         -- the latest end of this id
    v_ended_at timestamptz;     -- and of all
begin
    for v_id in select distinct id from unnest(p_jobs) d(id) order by id loop
        with gone as (
            delete from pgjobq.finished where shard = p_shard and id = v_id and outcome <> 'completed'
            returning finished_at)
        select max(finished_at) into v_last from gone;
        v_count := v_count + (v_last is not null)::int;
        v_ended_at := greatest(v_ended_at, v_last);
    end loop;
    perform pgjobq.note_lost_ends(p_shard, v_ended_at);
    return v_count;
end $$;

comment on function pgjobq.purge_ended is 'Internal. Deletes dead, cancelled or expired jobs.';
