-- The running workers that would take a job: for people, and for programs that wait. No claim reads this.

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

-- Returns those of some jobs that are due and do not run, each with the first reason why no worker takes it,
-- in the words of `explain`; `sentence` is null if there is none. It probes the primary key of `jobs`, and
-- the leases above the job's ticket.
create or replace function pgjobq.unstarted(p_shards smallint[], p_ids uuid[])
returns table (id uuid, kind text, queue text, sentence text)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
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
