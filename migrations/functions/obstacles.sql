-- What keeps every worker from a job: its queue, a pause, or that no live worker takes the queue, or knows
-- the kind.

-- Returns what must change before a worker can take a job; no row if nothing must. A worker is live if it has
-- not been silent for longer than its lease. Every worker has a row in the first shard.
create or replace function pgjobq.obstacles(p_job pgjobq.jobs)
returns table (code text, sentence text, details jsonb) language plpgsql stable
    set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    v_queue pgjobq.queues;
begin
    select * into v_queue from pgjobq.queues where id = p_job.queue_id;
    if v_queue.id is null then
        code := 'no_queue';
        sentence := format('Its queue does not exist: no queue has the id %s. Give the job the `queue_id` of '
                           'one, or delete it.', p_job.queue_id);
        details := jsonb_build_object('queue_id', p_job.queue_id);
        return next;
        return;
    elsif v_queue.deleted_at is not null then
        code := 'queue_deleted';
        sentence := format('Its queue `%s` was deleted at %s: workers cancel the jobs that wait in it, '
                           'within a minute or two.', v_queue.name, pgjobq.moment(v_queue.deleted_at));
        details := jsonb_build_object('queue', v_queue.name, 'at', pgjobq.micros(v_queue.deleted_at));
        return next;
        return;
    end if;
    return query select * from pgjobq.explain_pauses(v_queue.name, p_job.kind, p_job.key);
    return query select * from pgjobq.unserved(v_queue.name, p_job.kind);
end $$;

comment on function pgjobq.obstacles is 'Internal. What keeps every worker from a job.';

-- Returns why no live worker takes the jobs of a kind in a queue; no row if one does.
create or replace function pgjobq.unserved(p_queue text, p_kind text)
returns table (code text, sentence text, details jsonb) language plpgsql stable
    set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    w record;
begin
    select count(*) as live, count(*) filter (where p_queue = any (queues)) as in_queue,
           count(*) filter (where p_queue = any (queues) and p_kind = any (kinds)) as of_kind
      into w from pgjobq.workers where shard = 0 and seen_at > clock_timestamp() - lease;
    details := jsonb_build_object('queue', p_queue, 'kind', p_kind, 'workers', w.live);
    if w.live = 0 then
        code := 'no_worker';
        sentence := 'No worker is live: none has sent a heartbeat within its lease.';
        details := details || '{"served": []}';
        return next;
    elsif w.in_queue = 0 then
        select 'no_worker', details || jsonb_build_object('served', to_jsonb(array_agg(q.name))),
               format('No live worker takes its queue `%s`. Live workers take: %s. Start one with '
                      '`.queue("%s", ...)`, or move the job.',
                      p_queue, pgjobq.listed(array_agg(q.name)), p_queue)
          into code, details, sentence
          from (select distinct q.name from pgjobq.workers, unnest(queues) q(name)
                 where shard = 0 and seen_at > clock_timestamp() - lease order by 1) q;
        return next;
    elsif w.of_kind = 0 then
        code := 'unknown_kind';
        sentence := format('%s its queue `%s`, and none of them can run its kind `%s`: %s.',
            case when w.in_queue = 1 then 'One live worker takes' else w.in_queue || ' live workers take' end,
            p_queue, p_kind,
            case when exists (select from pgjobq.kinds where kind = p_kind)
                 then 'start one whose program has this job function, or give a job function this alias'
                 else 'no program has recorded this kind, so it is misspelt, or no program links its crate'
            end);
        details := details || jsonb_build_object('workers', w.in_queue);
        return next;
    end if;
end $$;

comment on function pgjobq.unserved is 'Internal. Why no live worker takes the jobs of a kind in a queue.';

-- The pauses of a job's queue, kind and key.
create or replace function pgjobq.explain_pauses(p_queue text, p_kind text, p_key text)
returns table (code text, sentence text, details jsonb) language plpgsql stable
    set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    v_now timestamptz := clock_timestamp();
begin
    return query
    select 'paused',
           format('Its %s `%s` is paused since %s by %s (role `%s`), until %s%s.', p.scope, p.name,
                  pgjobq.moment(p.paused_at), p.paused_by, p.role,
                  coalesce(pgjobq.moment(p.until) || ' (in ' || pgjobq.span(p.until - v_now) || ')',
                           'somebody resumes it'),
                  coalesce(': ' || p.reason, '')),
           jsonb_build_object('scope', p.scope, 'name', p.name, 'since', pgjobq.micros(p.paused_at),
                              'by', p.paused_by, 'role', p.role, 'reason', p.reason,
                              'until', pgjobq.micros(p.until))
      from pgjobq.pauses p
     where (p.until is null or p.until > v_now)
       and p.name = case p.scope when 'queue' then p_queue when 'kind' then p_kind else p_key end
     order by p.paused_at;
end $$;

comment on function pgjobq.explain_pauses is 'Internal. The pauses of a job''s queue, kind and key.';
