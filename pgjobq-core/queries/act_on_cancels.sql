-- Acts on the next requests to cancel. $1 shard   $2 after this id, null for the first ones   $3 how many
select cancelled, running, scanned_to from pgjobq.act_on_cancels($1, null, $2, $3)
