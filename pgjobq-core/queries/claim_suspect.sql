-- Claim one suspect of a lane. $1 shard   $2 queue   $3 worker   $4 lease   $5 kinds
select id, kind, args, priority, ticket, attempt, failures, retries, crash_budget, meta
  from pgjobq.claim_suspect($1, $2, $3, $4, $5)
