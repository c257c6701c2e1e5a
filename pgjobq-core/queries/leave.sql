-- Deletes the rows of a worker that holds nothing, in every shard. $1 shards   $2 worker
select pgjobq.leave(s, $2) from unnest($1::smallint[]) s
