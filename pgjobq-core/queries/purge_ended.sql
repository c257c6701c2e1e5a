-- Forget ended jobs for good. $1 shard   $2 ids
select pgjobq.purge_ended($1, $2) as purged
