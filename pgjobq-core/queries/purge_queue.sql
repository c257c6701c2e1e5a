-- Cancels jobs of a queue that wait. $1 shard   $2 queue   $3 priority (null: those not in line)
-- $4 after this ticket   $5 how many   $6 why
select cancelled, scanned_to from pgjobq.purge_queue($1, $2, $3, $4, $5, $6)
