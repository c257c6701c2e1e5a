-- Puts dead, cancelled or expired jobs back in line, at once, with all their retries; with `p_kind`, `p_args`
-- and so on, changed. With a kind, `p_attributes`, `p_key` and `p_unique_key` replace theirs, also if they
-- are null; `p_args` are of `p_version` (null: the first one). Their
-- attempts go on counting. A unique job comes back whoever holds its key: it takes no slot,
-- so it waits for nobody. Jobs that are live (again) are returned in `live`. A job with another outcome, or
-- of a deleted queue, or that ended after `p_before`, is in neither array. Nor is a step: see
-- `retry_workflow`. `full` have a queue without room for them.
create or replace function pgjobq.requeue_jobs(
    p_shard smallint, p_jobs uuid[], p_kind text, p_args text, p_queue int, p_priority smallint,
    p_retries smallint, p_attributes text default null, p_key text default null,
    p_before timestamptz default null, p_unique_key text default null, p_version int default null,
    out requeued uuid[], out live uuid[], out queues int[], out "full" uuid[])
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    v_id uuid; v_job pgjobq.finished; v_queue int; v_bounded boolean; v_limits smallint;
    v_is_limited boolean := false; v_ended_at timestamptz;     -- the latest end of those requeued
begin
    for v_id in select distinct id from unnest(p_jobs) d(id) order by id loop
        -- Locked, so that two who do this at once do it once. The latest end of an id counts.
        select * into v_job from pgjobq.finished
         where shard = p_shard and id = v_id order by finished_at desc limit 1 for update;
        if exists (select 1 from pgjobq.jobs where shard = p_shard and id = v_id) then
            live := live || v_id; continue;
        end if;
        continue when v_job.id is null or v_job.outcome = 'completed' or v_job.meta ? 'workflow'
                   or v_job.finished_at > p_before;
        select q.id, q.is_bounded into v_queue, v_bounded from pgjobq.queues q
         where q.id = coalesce(p_queue, v_job.queue_id) and q.deleted_at is null;
        continue when v_queue is null;
        -- step: ended job locked
        if v_bounded and pgjobq.take_room(v_queue, 1, true) = 0 then
            "full" := "full" || v_id; continue;
        end if;
        v_limits := pgjobq.with_room(pgjobq.limits_in(p_shard, coalesce(p_kind, v_job.kind),
            case when p_kind is null then v_job.key else p_key end, v_queue), v_bounded);
        v_is_limited := v_is_limited or pgjobq.needs_permit(v_limits);
        v_job.meta := jsonb_build_object('enqueued_at', pgjobq.micros(v_job.created_at))
                      || coalesce(v_job.meta, '{}');
        -- Created now, so that nothing asked of it before is about it. Its `meta` keeps the first enqueue.
        insert into pgjobq.jobs (shard, id, queue_id, priority, kind, args, attributes, key, unique_key, meta,
                                 limits, weight, arrival, ticket, attempt, retries, max_crashes, created_at)
        values (p_shard, v_id, v_queue, coalesce(p_priority, v_job.priority),
                coalesce(p_kind, v_job.kind), coalesce(p_args::jsonb, v_job.args),
                case when p_kind is null then v_job.attributes else p_attributes::jsonb end,
                case when p_kind is null then v_job.key else p_key end,
                case when p_kind is null then v_job.unique_key else p_unique_key end,
                case when p_args is null then v_job.meta
                     else pgjobq.with_version(v_job.meta, to_jsonb(p_version)) end, v_limits,
                v_job.weight, case when pgjobq.needs_permit(v_limits) then nextval('pgjobq.ticket') end,
                case when not pgjobq.needs_permit(v_limits) then nextval('pgjobq.ticket') end,
                least(v_job.attempt, 2000000000), coalesce(p_retries, v_job.retries), v_job.max_crashes,
                clock_timestamp())
        on conflict (shard, id) do nothing;
        if not found then
            if v_bounded then perform pgjobq.give_room(p_shard, array[v_queue], true); end if;
            live := live || v_id; continue;
        end if;
        -- The failures before are listed again if the job dies again.
        perform pgjobq.restore_failures(p_shard, v_id, v_job.errors);
        delete from pgjobq.finished where shard = p_shard and id = v_id and drop_on = v_job.drop_on
           and finished_at = v_job.finished_at;
        v_ended_at := greatest(v_ended_at, v_job.finished_at);
        requeued := requeued || v_id; queues := queues || v_queue;
    end loop;
    perform pgjobq.announce_limited(requeued) where v_is_limited;
    perform pgjobq.note_lost_ends(p_shard, v_ended_at);
end $$;

comment on function pgjobq.requeue_jobs is 'Internal. Puts dead, cancelled or expired jobs back in line.';

-- Records the failed attempts of an ended job again, because it is live again.
create or replace function pgjobq.restore_failures(p_shard smallint, p_job uuid, p_errors jsonb) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    insert into pgjobq.failures (shard, job, attempt, at, reason, message, worker, left_out)
    select p_shard, p_job, e.attempt, e.at, e.reason, e.message, e.worker, coalesce(e.left_out, 0)
      from jsonb_to_recordset(coalesce(p_errors, '[]'))
             e(attempt int, at timestamptz, reason text, message text, worker text, left_out int)
    on conflict (shard, job, attempt) do nothing;
end $$;

comment on function pgjobq.restore_failures is 'Internal. Records the failed attempts of an ended job again.';
