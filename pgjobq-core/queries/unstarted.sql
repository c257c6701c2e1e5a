-- The jobs among these that are due and do not run, each with the reason why no worker takes it, if there is one.
-- $1 shards   $2 ids
select id as awaited, id, kind, queue, sentence from pgjobq.unstarted($1, $2)
