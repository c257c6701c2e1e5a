-- One job in full, for people.

-- Returns what a page about one job shows beside its status: its arguments, its result, its failed attempts,
-- and its origin. Of a job that runs it also returns its worker, and since when. JSON longer than `p_most`
-- bytes is null. It has no row if there is no such job. It runs with its owner's rights, because it reads
-- the table `failures`, which a producer may not read.
create or replace function pgjobq.job_details(p_shard smallint, p_job uuid, p_most int)
returns table (priority smallint, key text, attributes text, args text, output text, errors text,
               retries smallint, max_crashes smallint, expires_at bigint, claimed_at bigint, worker text,
               traceparent text, parent uuid, workflow uuid, step int, schedule text,
               enqueued_at bigint)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
    j pgjobq.jobs;
    f pgjobq.finished;
    l pgjobq.leases;
begin
    select * into j from pgjobq.job_row(p_shard, p_job);
    if j.id is not null then
        select r.* into l from pgjobq.leases r
         where r.shard = p_shard and r.queue_id = j.queue_id and r.priority = j.priority
           and r.max_ticket >= j.ticket and r.tickets @> j.ticket
         order by r.max_ticket limit 1;
        return query select j.priority::smallint, j.key, j.attributes::text,
            pgjobq.printed(pgjobq.shown_args(j.kind, j.args, j.meta), p_most), null::text,
            pgjobq.readable(pgjobq.errors_of(p_shard, p_job, null)), j.retries::smallint,
            j.max_crashes::smallint, pgjobq.micros(j.expires_at), pgjobq.micros(l.claimed_at),
            (select w.name from pgjobq.workers w where w.shard = p_shard and w.id = l.worker),
            j.meta->>'traceparent', (j.meta->>'parent')::uuid, pgjobq.workflow_of(j.meta),
            pgjobq.number_of_step(j.meta), j.meta->>'schedule',
            case when j.meta->>'enqueued_at' ~ '^[0-9]{1,16}$' then (j.meta->>'enqueued_at')::bigint end;
        return;
    end if;
    select e.* into f from pgjobq.finished e
     where e.shard = p_shard and e.id = p_job order by e.finished_at desc limit 1;
    if f.id is not null then
        return query select f.priority, f.key, f.attributes::text,
            pgjobq.printed(pgjobq.shown_args(f.kind, f.args, f.meta), p_most),
            pgjobq.printed(f.output, p_most),
            pgjobq.readable(f.errors), f.retries, f.max_crashes, null::bigint, null::bigint, null::text,
            f.meta->>'traceparent', (f.meta->>'parent')::uuid, pgjobq.workflow_of(f.meta),
            pgjobq.number_of_step(f.meta), f.meta->>'schedule',
            case when f.meta->>'enqueued_at' ~ '^[0-9]{1,16}$' then (f.meta->>'enqueued_at')::bigint end;
    end if;
end $$;

comment on function pgjobq.job_details is 'Internal. Returns one job in full.';

revoke execute on function pgjobq.job_details from public;
