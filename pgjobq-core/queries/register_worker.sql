-- Registers a worker in every shard. $1 shards   $2 worker   $3 name   $4 lease, in microseconds
-- $5 the queues that it serves   $6 the kinds that it can run   $7 the slots of each queue
-- $8 the jobs that it accepts, and $9 the same as a jsonpath   $10 the schedules that its code declares
select pgjobq.register_worker(s, $2, $3, $4 * interval '1 microsecond', $5, $6, $7, $8, $9::text::jsonpath, $10)
  from unnest($1::smallint[]) s
