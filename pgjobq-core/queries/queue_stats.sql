-- The state of a queue, shard by shard. $1 shards   $2 queue   $3 its name
select q.ready, c.scheduled, q.blocked, q.limited, q.running, q.exact and c.exact as exact, q.oldest, q.completed, q.failed,
       (select count(*) from pgjobq.unaccepted(s, $2)) as unaccepted, w.in_queue as workers, (extract(epoch from clock_timestamp()) * 1000000)::bigint as now
  from unnest($1::smallint[]) s, lateral pgjobq.queue_stats(s, $2) q,
       lateral pgjobq.scheduled_counts(array[s], array[$2::int]) c, lateral pgjobq.workers_of($3, null) w
