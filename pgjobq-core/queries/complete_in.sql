-- Completes a job in a transaction of its own. $1 shard   $2 worker
-- $3-$6 lease: queue, priority, max_ticket, id   $7 job   $8 ticket   $9 how long to keep it, in microseconds
-- $10 output
select pgjobq.complete_in($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) as completed,
       (select until from pgjobq.waiters where shard = $1 and until > statement_timestamp()
         order by until desc limit 1) is not null as waited,
       exists (select from pgjobq.edges where shard = $1 and parent = $7) as has_edges
