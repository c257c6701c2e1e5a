-- Registers a worker in every shard. $1 shards   $2 worker   $3 name   $4 lease, in microseconds
select pgjobq.register_worker(s, $2, $3, $4 * interval '1 microsecond') from unnest($1::smallint[]) s
