-- Every worker of every shard, with its number of heartbeats and its lease in microseconds.
select shard, id, beats, (extract(epoch from lease) * 1000000)::bigint as lease from pgjobq.workers
