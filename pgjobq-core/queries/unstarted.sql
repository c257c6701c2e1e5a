-- The jobs among these that are due and do not run, and how many workers serve their queue and can run their kind.
-- $1 shards   $2 ids
select id, kind, queue, in_queue, of_kind from pgjobq.unstarted($1, $2)
