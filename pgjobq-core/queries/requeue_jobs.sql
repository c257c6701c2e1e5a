-- Puts ended jobs back in line. $1 shard   $2 ids   $3 kind   $4 args   $5 queue   $6 priority   $7 retries
-- $8 attributes   $9 key   $10 unique key   $11 version of the arguments. If there is no kind, they stay as they were.
select requeued, live, queues, "full"
  from pgjobq.requeue_jobs($1, $2, $3, $4, $5, $6, $7, $8, $9, p_unique_key => $10, p_version => $11)
