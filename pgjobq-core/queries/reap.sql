-- Takes back one lease of a worker that is not registered, in the first shard that has one. $1 shards
-- $2 leases to leave alone
select s as shard, r.requeued, r.buried, r.cancelled, r.skipped, r.queue
  from unnest($1::smallint[]) s, lateral pgjobq.reap(s, $2) r where r.queue is not null limit 1
