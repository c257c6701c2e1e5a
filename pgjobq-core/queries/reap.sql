-- Take back one lease of a worker that is not there. $1 shard   $2 leases to be left alone
select requeued, buried, cancelled, kept, queue from pgjobq.reap($1, $2)
