-- Returns the leases of a claim whose answer was lost. $1 shard   $2 queue   $3 worker   $4 lease
select returned, cancelled from pgjobq.return_claim($1, $2, $3, $4)
