-- Records that a worker lives, in every shard, and lists its leases. $1 shards   $2 worker
-- changes: how often operators have changed settings
select s as shard, h.alive, h.queues, h.priorities, h.max_tickets, h.ids, h.ages,
       (select changes from pgjobq.settings) as changes
  from unnest($1::smallint[]) s, lateral pgjobq.heartbeat(s, $2) h
