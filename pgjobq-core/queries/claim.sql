-- Claim jobs of one lane. $1 shard   $2 queue   $3 worker   $4 lease   $5 whether to wait for a busy lane   $6 kinds
-- $7 how many   $8 near, by priority   $9, $10 tickets found by a peek, and their priorities
select ids, kinds, args, priorities, tickets, attempts, failures, retries, crash_budgets, metas, reach
  from pgjobq.claim($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
