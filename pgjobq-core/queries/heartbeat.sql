-- Records that a worker lives, in every shard, and lists its leases. $1 shards   $2 worker
select s as shard, h.alive, h.queues, h.priorities, h.max_tickets, h.ids, h.ages
  from unnest($1::smallint[]) s, lateral pgjobq.heartbeat(s, $2) h
