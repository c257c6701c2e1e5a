-- List jobs that ended badly, the latest first. $1 shard   $2 outcome   $3 queue   $4 kind   $5, $6 before this time
-- (microseconds since 1970, null for now) and id   $7 how many
select f.id, f.outcome, q.name as queue, f.kind, pgjobq.shown_args(f.kind, f.args)::text as args, f.attempt, f.failures, f.crashes,
       (extract(epoch from f.created_at) * 1000000)::bigint as created_at,
       (extract(epoch from f.finished_at) * 1000000)::bigint as finished_at,
       pgjobq.readable(f.errors) as errors,
       f.cancelled->>'by' as cancelled_by, f.cancelled->>'role' as cancelled_as, f.cancelled->>'reason' as cancelled_for,
       (extract(epoch from (f.cancelled->>'asked_at')::timestamptz) * 1000000)::bigint as cancelled_at
  from pgjobq.ended_badly($1, $2, case when $3::text is not null then coalesce((select id from pgjobq.queues where name = $3), -1) end, $4,
           coalesce(timestamptz 'epoch' + $5 * interval '1 microsecond', 'infinity'), $6, $7) f
  left join pgjobq.queues q on q.id = f.queue_id
