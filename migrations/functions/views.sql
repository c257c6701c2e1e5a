-- What people look at: the state of a job is derived, never stored.

create or replace view pgjobq.job_states as
select j.shard, j.id, q.name as queue, j.kind, j.priority,
       case when j.waits_for > 0 then 'blocked'
            when j.run_at is not null then 'scheduled'
            when j.ticket is null then 'held'
            when exists (select 1 from pgjobq.leases l
                          where l.shard = j.shard and l.queue_id = j.queue_id and l.priority = j.priority
                            and l.hi >= j.ticket and l.tickets @> j.ticket) then 'running'
            else 'ready' end as state,
       j.run_at, j.attempt, j.failures, j.crashes, j.created_at, null::timestamptz as finished_at, pgjobq.shown_args(j.kind, j.args) as args,
       null::jsonb as output, null::jsonb as errors, null::jsonb as cancelled
  from pgjobq.jobs j left join pgjobq.queues q on q.id = j.queue_id
union all
select f.shard, f.id, q.name, f.kind, f.priority, f.outcome, null, f.attempt, f.failures, f.crashes, f.created_at, f.finished_at,
       pgjobq.shown_args(f.kind, f.args), f.output, f.errors, f.cancelled
  from pgjobq.finished f left join pgjobq.queues q on q.id = f.queue_id;
