-- Put ended jobs back in line. $1 shard   $2 ids   $3 args   $4 queue   $5 priority   $6 retries (null: as they were)
select requeued, live, queues from pgjobq.requeue_jobs($1, $2, $3, $4, $5, $6)
