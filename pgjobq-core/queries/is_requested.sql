-- Whether a unique job has met another one, so that it may still be enqueued. $1 shard   $2 id
select exists (select from pgjobq.unique_requests where shard = $1 and id = $2) as requested
