-- Records in which queues a worker waits to be notified, in every shard. $1 shards   $2 worker   $3 queues
select pgjobq.set_idle(s, $2, $3) from unnest($1::smallint[]) s
