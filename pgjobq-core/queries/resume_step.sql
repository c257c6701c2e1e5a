-- Lets a held step run. $1 shard   $2 workflow   $3 its number
select resumed, queues from pgjobq.resume_step($1, $2, $3)
