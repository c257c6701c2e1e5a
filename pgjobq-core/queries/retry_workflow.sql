-- Retries the steps of a workflow that did not complete. $1 shard   $2 id
select retried, is_busy, queues, "full"::text as "full" from pgjobq.retry_workflow($1, $2)
