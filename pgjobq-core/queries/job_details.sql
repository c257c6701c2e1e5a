-- One job in full: its status as in `status`, and the rest of `job_details`, in one snapshot.
-- $1 shard   $2 id   $3 the most bytes of JSON to print
select s.state, s.queue, s.kind, s.attempt, s.failures, s.crashes, s.cancelled->>'by' as cancelled_by,
       s.cancelled->>'role' as cancelled_as, s.cancelled->>'reason' as cancelled_for,
       (extract(epoch from (s.cancelled->>'asked_at')::timestamptz) * 1000000)::bigint as cancelled_at,
       (extract(epoch from s.created_at) * 1000000)::bigint as created_at,
       (extract(epoch from s.run_at) * 1000000)::bigint as run_at,
       (extract(epoch from s.finished_at) * 1000000)::bigint as finished_at,
       s.unique_key, p.percent, p.message, (extract(epoch from p.said_at) * 1000000)::bigint as said_at,
       w.of_kind as workers, d.priority, d.key, d.attributes, d.args, d.output, d.errors, d.retries,
       d.max_crashes, d.expires_at, d.claimed_at, d.worker, d.traceparent, d.parent, d.workflow, d.step, d.schedule,
       d.enqueued_at
  from pgjobq.job_states s
  left join pgjobq.jobs j on j.shard = s.shard and j.id = s.id and s.finished_at is null
  left join lateral pgjobq.progress_of(j.shard, j.id, j.ticket) p on true
 cross join lateral pgjobq.workers_of(s.queue, pgjobq.versioned_kind(s.kind, j.meta)) w
 cross join lateral pgjobq.job_details(s.shard, s.id, $3) d
 where s.shard = $1 and s.id = $2 order by s.finished_at desc nulls first limit 1
