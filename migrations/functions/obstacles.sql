-- The obstacles that keep every worker from a job: its queue, a pause, or that no live worker takes the
-- queue, knows the kind, or accepts the job.

-- Returns what must change before a worker can take a job; no row if nothing must.
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
    return query select * from pgjobq.unserved(p_job, v_queue.name);
end $$;

comment on function pgjobq.obstacles is 'Internal. What keeps every worker from a job.';

-- Returns why no live worker takes a job; no row if one does.
create or replace function pgjobq.unserved(p_job pgjobq.jobs, p_queue text)
returns table (code text, sentence text, details jsonb) language plpgsql stable
    set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    w record;
    v_served text[];
begin
    select count(*) as live, count(*) filter (where in_queue) as in_queue,
           count(*) filter (where of_kind) as of_kind, count(*) filter (where accepts) as accepting
      into w from pgjobq.live_workers(p_job, p_queue);
    details := jsonb_build_object('queue', p_queue, 'kind', p_job.kind);
    if w.in_queue = 0 then
        v_served := array(select distinct q from pgjobq.live_workers(p_job, p_queue), unnest(queues) q
                           order by 1);
        code := 'no_worker';
        sentence := case
            when w.live = 0 then 'No worker is live: none has sent a heartbeat within its lease.'
            else format('No live worker takes its queue `%s`. Live workers take: %s. Start one with '
                        '`.queue("%s", ...)`, or move the job.',
                        p_queue, pgjobq.listed(v_served), p_queue) end;
        details := details || jsonb_build_object('served', v_served);
        return next;
    elsif w.of_kind = 0 then
        return query select * from pgjobq.unread_version(p_job, p_queue);
        if found then
            return;
        end if;
        code := 'unknown_kind';
        sentence := format('%s its queue `%s`, and none of them can run its kind `%s`: %s.',
            case when w.in_queue = 1 then 'One live worker takes' else w.in_queue || ' live workers take' end,
            p_queue, p_job.kind,
            case when exists (select from pgjobq.kinds where kind = p_job.kind)
                 then 'start one whose program has this job function, or give a job function this alias'
                 else 'no program has recorded this kind, so it is misspelt, or no program links its crate'
            end);
        details := details || jsonb_build_object('workers', w.in_queue);
        return next;
    elsif w.accepting = 0 then
        return query select * from pgjobq.explain_filters(p_job, p_queue);
    end if;
end $$;

comment on function pgjobq.unserved is 'Internal. Why no live worker takes a job.';

-- The versions of a job's kind that live workers read, if they know the kind and not the version of the job.
create or replace function pgjobq.unread_version(p_job pgjobq.jobs, p_queue text)
returns table (code text, sentence text, details jsonb) language plpgsql stable
    set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    v_version text := left(coalesce(p_job.meta ->> 'version', '1'), 100);
    w record;
begin
    select count(distinct l.id) as workers, array_agg(distinct v.version order by v.version) as reads into w
      from pgjobq.live_workers(p_job, p_queue) l,
           lateral unnest(pgjobq.versions_in(l.kinds, p_job.kind)) v(version)
     where l.in_queue;
    if w.workers = 0 then
        return;
    end if;
    code := 'unread_version';
    sentence := format('Its arguments are of version %s, and no live worker of its queue `%s` reads that '
                       'version of `%s`: %s %s. %s', v_version, p_queue, p_job.kind,
                       pgjobq.counted(w.workers, 'worker'),
                       case when w.workers = 1 then 'reads ' else 'read ' end
                       || array_to_string(w.reads[1:10], ', '),
                       case when v_version ~ '^[0-9]{1,5}$' and v_version::int > w.reads[cardinality(w.reads)]
                            then 'Newer code enqueued it: a worker of that code takes it.'
                            else 'Start a worker that reads it: its struct stays in `upcast_from`.' end);
    details := jsonb_build_object('queue', p_queue, 'kind', p_job.kind, 'version', v_version,
                                  'reads', w.reads, 'workers', w.workers);
    return next;
end $$;

comment on function pgjobq.unread_version is 'Internal. The versions of a job''s kind that workers read.';

-- The filters of the workers that could run a job, none of which it matches.
create or replace function pgjobq.explain_filters(p_job pgjobq.jobs, p_queue text)
returns table (code text, sentence text, details jsonb) language plpgsql stable
    set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
    return query
    select 'not_accepted',
           format('%s can run it, and none accepts it. Its attributes are %s; they accept: %s.',
                  pgjobq.counted(sum(f.workers)::bigint, 'live worker'),
                  left(coalesce(p_job.attributes, '{}')::text, 500),
                  string_agg(format('`%s` (%s)', left(f.filter, 500), pgjobq.counted(f.workers, 'worker')),
                             ', ' order by f.place) filter (where f.place <= 10)),
           jsonb_build_object('queue', p_queue, 'workers', sum(f.workers),
                              'attributes', coalesce(p_job.attributes, '{}'),
                              'filters', jsonb_agg(f.filter order by f.place) filter (where f.place <= 10))
      from (select filter, count(*) as workers,
                   row_number() over (order by count(*) desc, filter) as place
              from pgjobq.live_workers(p_job, p_queue) where of_kind group by filter) f;
end $$;

comment on function pgjobq.explain_filters is
    'Internal. The filters of the workers that could run a job, none of which it matches.';

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
