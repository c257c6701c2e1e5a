-- Ends a pause. $1 queue, kind or key   $2 name
select pgjobq.resume($1, $2) as resumed
