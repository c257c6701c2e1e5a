-- Records how many slots a worker has in each of its queues, in every shard. $1 shards   $2 worker   $3 slots
select pgjobq.set_slots(s, $2, $3) from unnest($1::smallint[]) s
