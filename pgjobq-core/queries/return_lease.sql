-- Returns a lease whose claim's answer was lost. $1 shard   $2 worker   $3 queue   $4 priority
-- $5 max_ticket   $6 id
select returned, cancelled from pgjobq.return_lease($1, $2, $3, $4, $5, $6)
