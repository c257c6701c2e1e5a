-- Settles edges of jobs that have ended. $1 shard   $2 how many
select queues, cancelled as ended, more from pgjobq.settle_edges($1, $2)
