-- The arguments of the next jobs that have not ended. $1 shard   $2 after this id   $3 how many
select id, kind, version, args, is_blocked from pgjobq.waiting_args($1, $2, $3)
