-- The kinds of waiting jobs that are none of these. $1 shards   $2 queues   $3 kinds
select queue, kind from pgjobq.unknown_kinds($1, $2, $3)
