-- How jobs ended, by id. $1 shard   $2 ids
select f.id, f.outcome, q.name as queue, f.kind, pgjobq.shown_args(f.kind, f.args)::text as args, f.attempt, f.failures, f.crashes,
       (extract(epoch from f.created_at) * 1000000)::bigint as created_at,
       (extract(epoch from f.finished_at) * 1000000)::bigint as finished_at,
       pgjobq.readable(f.errors) as errors,
       f.cancelled->>'by' as cancelled_by, f.cancelled->>'role' as cancelled_as, f.cancelled->>'reason' as cancelled_for,
       (extract(epoch from (f.cancelled->>'asked_at')::timestamptz) * 1000000)::bigint as cancelled_at
  from unnest($2::uuid[]) d(id),
       lateral (select * from pgjobq.finished where shard = $1 and id = d.id order by finished_at desc limit 1) f
  left join pgjobq.queues q on q.id = f.queue_id
