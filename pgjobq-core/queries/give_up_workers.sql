-- Give up the workers of a shard that were silent for too long. $1 shard   $2 microseconds
select pgjobq.give_up_workers($1, $2 * interval '1 microsecond') as given_up
