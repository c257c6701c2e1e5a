-- Ends jobs that did not start in time. $1 shard   $2, $3 after this time (microseconds since 1970) and id
-- $4 how many
select expired, (extract(epoch from scanned_to) * 1000000)::bigint as scanned_to, scanned_to_id,
       (extract(epoch from looked) * 1000000)::bigint as looked, next_due
  from pgjobq.expire($1, timestamptz 'epoch' + $2 * interval '1 microsecond', $3, $4)
