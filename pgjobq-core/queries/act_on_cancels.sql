-- Act on requests to cancel. $1 shard   $2 ids, or null for the next ones   $3 after this id   $4 how many
select cancelled, running, reach from pgjobq.act_on_cancels($1, $2, $3, $4)
