-- Puts ended jobs back in line. $1 shard   $2 ids   $3 kind   $4 args   $5 queue   $6 priority
-- $7 retries (null: as they were)
select requeued, live, queues from pgjobq.requeue_jobs($1, $2, $3, $4, $5, $6, $7)
