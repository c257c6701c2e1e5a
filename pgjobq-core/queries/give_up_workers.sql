-- Deletes the rows of silent workers, each if its number of heartbeats is still this one. $1 shard
-- $2 workers   $3 beats
select pgjobq.give_up_workers($1, $2, $3) as given_up
