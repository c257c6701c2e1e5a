-- Settles the requests of unique jobs that have met another one. $1 shard   $2 ids
select settled, holders, changed, queues, again from pgjobq.settle_own_unique($1, $2)
