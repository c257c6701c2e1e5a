-- Register a worker in every shard. $1 shards   $2 worker   $3 name
select pgjobq.register_worker(s, $2, $3) from unnest($1::smallint[]) s
