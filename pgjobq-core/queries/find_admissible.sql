-- Finds limits under which jobs wait and a permit is free. $1 shard   $2, $3 after this kind and key   $4 how many
select kinds, keys, queues, next_kind, next_key, waiting from pgjobq.find_admissible($1, $2, $3, $4)
