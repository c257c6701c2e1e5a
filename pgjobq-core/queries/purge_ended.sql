-- Deletes dead, cancelled or expired jobs. $1 shard   $2 ids
select pgjobq.purge_ended($1, $2) as purged
