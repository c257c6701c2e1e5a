-- The last ends of jobs, for observers. $1 shards   $2 ids
select id, queue, kind, outcome, attempt from pgjobq.ended_as($1, $2)
