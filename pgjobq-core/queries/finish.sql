-- Records ended attempts. $1 shard   $2 worker   $3 its name
-- $4-$8 leases: queue, priority, max_ticket, id, whether to close
-- $9-$17 jobs: lease, id, ticket, decision, delay, keep, output, reason, message   $18 their addresses
select stale, cancelled, waited, queues, ended, more, room
  from pgjobq.finish($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
