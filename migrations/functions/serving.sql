-- The live workers that would take a job: for people, and for programs that wait. No claim reads this. A
-- worker that has been silent for longer than its lease is not live. Every worker has a row in the first
-- shard.

-- Counts the running workers that serve a queue, and those of them that can run a kind. A worker that has
-- been silent for longer than its lease does not count. Every worker has a row in the first shard.
create or replace function pgjobq.workers_of(p_queue text, p_kind text, out in_queue bigint,
                                             out of_kind bigint)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    select count(*), count(*) filter (where p_kind = any (kinds)) into in_queue, of_kind
      from pgjobq.workers
     where shard = 0 and p_queue = any (queues) and seen_at > clock_timestamp() - lease;
end $$;

comment on function pgjobq.workers_of is 'Internal. Counts the running workers that would take a job.';

-- The live workers, as one job sees them: the slots for its queue, if the worker takes that; if it can run
-- the kind, and reads the version of the arguments; if it accepts the job; and if it waits to be notified.
create or replace function pgjobq.live_workers(p_job pgjobq.jobs, p_queue text)
returns table (id bigint, name text, queues text[], kinds text[], slots int, in_queue boolean,
               of_kind boolean, accepts boolean, filter text, is_idle boolean)
language sql stable as $$
    select w.id, w.name, w.queues, w.kinds, w.slots[array_position(w.queues, p_queue)],
           p_queue = any (w.queues), p_queue = any (w.queues) and k.kind = any (w.kinds),
           p_queue = any (w.queues) and k.kind = any (w.kinds)
           and (w.filter_path is null
                or pgjobq.matches(p_job.attributes, w.filter_path, pgjobq.filter_columns(
                       p_job.id, p_job.kind, p_queue, p_job.key, 'ready', p_job.priority, p_job.attempt,
                       p_job.created_at))),
           w.filter, p_job.queue_id = any (w.idle)
      from pgjobq.workers w,
           lateral (select pgjobq.versioned_kind(p_job.kind, p_job.meta) as kind) k
     where w.shard = 0 and w.seen_at > clock_timestamp() - w.lease
$$;

comment on function pgjobq.live_workers is 'Internal. The live workers, as one job sees them.';

-- The jobs among the first twenty of each line of a queue that no live worker accepts. Many workers are
-- alike: so it compares each job with the different workers only. `kind` is the versioned one.
create or replace function pgjobq.unaccepted(
    p_shard smallint, p_queue int, out id uuid, out kind text, out created_at timestamptz)
returns setof record language plpgsql stable rows 10 set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    v_queue text := (select q.name from pgjobq.queues q where q.id = p_queue);
begin
    return query
    with workers as materialized (
        select w.kinds, w.filter_path::text::jsonpath as path
          from pgjobq.workers w
         where w.shard = 0 and w.seen_at > clock_timestamp() - w.lease and v_queue = any (w.queues)
         group by w.kinds, w.filter_path::text)
    select j.id, k.kind, j.created_at
      from generate_series(0, 3) p(priority),
           lateral pgjobq.ready_line(p_shard, p_queue, p.priority, 0, 20) j,
           lateral (select pgjobq.versioned_kind(j.kind, j.meta) as kind) k,
           lateral (select pgjobq.filter_columns(j.id, j.kind, v_queue, j.key, 'ready', p.priority,
                                                 j.attempt, j.created_at) as columns offset 0) c
     where not exists (select from workers w
                        where k.kind = any (w.kinds)
                          and (w.path is null or pgjobq.matches(j.attributes, w.path, c.columns)));
end $$;

comment on function pgjobq.unaccepted is
    'Internal. Jobs near the front of a queue that no live worker accepts.';

-- Returns those of some jobs that are due and do not run, each with the first reason why no worker takes it,
-- in the words of `explain`; `sentence` is null if there is none. It probes the primary key of `jobs`, and
-- the leases above the job's ticket.
create or replace function pgjobq.unstarted(p_shards smallint[], p_ids uuid[])
returns table (id uuid, kind text, queue text, sentence text)
language plpgsql stable rows 10 set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
    return query
    select j.id, j.kind, q.name, o.sentence
      from unnest(p_shards, p_ids) d(shard, id),
           lateral pgjobq.job_row(d.shard, d.id) j,
           lateral (select name from pgjobq.queues where id = j.queue_id offset 0) q
           left join lateral (select sentence from pgjobq.obstacles(j) limit 1) o on true
     where pgjobq.is_due(j)
       and (j.ticket is null
            or (pgjobq.leased_tickets(j.shard, j.queue_id, j.priority, j.ticket - 1)
                @> j.ticket) is not true);
end $$;

comment on function pgjobq.unstarted is
    'Internal. Returns jobs that are due and do not run, with the reason why no worker takes them.';
