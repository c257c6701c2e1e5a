-- The state of a queue, shard by shard. $1 shards   $2 queue
select q.ready, q.scheduled, q.blocked, q.running, q.exact, q.oldest, q.completed, q.failed,
       (extract(epoch from clock_timestamp()) * 1000000)::bigint as now
  from unnest($1::smallint[]) s, lateral pgjobq.queue_stats(s, $2) q
