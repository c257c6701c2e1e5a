-- Puts scheduled jobs in line that have come due. $1 shard   $2 how many
-- $3 due since this time (microseconds since 1970)
select promoted, queues, (extract(epoch from scanned_to) * 1000000)::bigint as scanned_to, next_due,
       limited
  from pgjobq.promote($1, $2, timestamptz 'epoch' + $3 * interval '1 microsecond')
