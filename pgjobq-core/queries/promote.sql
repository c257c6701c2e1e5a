-- Put scheduled jobs in line whose time has come. $1 shard   $2 how many at most
select promoted, queues, next_due from pgjobq.promote($1, $2)
