-- Settles the next requests of unique jobs that have met another one. $1 shard   $2 after this id, null for the
-- first ones   $3 how many
select queues, again, scanned_to from pgjobq.settle_unique($1, null, $2, $3)
