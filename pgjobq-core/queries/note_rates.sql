-- Records how many attempts have ended. $1 shard   $2 queues   $3 completed   $4 failed
select pgjobq.note_rates($1, $2, $3, $4)
