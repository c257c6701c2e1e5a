-- Enqueue a batch. $1-$5 shapes: kind, queue, priority, retries, crash budget   $6 id   $7 shape of each row
-- $8 args   $9 delay   $10 run at (both microseconds, null for now)   $11 whether to notify in this transaction
select inserted, unknown, duplicate, other_kind, wake
  from pgjobq.enqueue_many($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
