-- Records the progress of a running job. $1 shard   $2 worker   $3-$6 lease: queue, priority, max_ticket, id
-- $7 job   $8 ticket   $9 percent   $10 message
select pgjobq.say_progress($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) as said
