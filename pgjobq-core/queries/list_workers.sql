-- The workers of these shards, each with its number of heartbeats and its lease in microseconds. $1 shards
select shard, id, beats, (extract(epoch from lease) * 1000000)::bigint as lease
  from pgjobq.workers where shard = any ($1)
