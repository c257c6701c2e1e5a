-- Takes limits whose rates may have room again. $1 shard   $2 how many
select kinds, keys, queues, more from pgjobq.take_awaited($1, $2)
