-- Lists dead, cancelled or expired jobs, the latest first. $1 shard   $2 outcome   $3 queue   $4 kind
-- $5, $6 before this time (microseconds since 1970, null for now) and id   $7 how many
select f.id, (extract(epoch from f.finished_at) * 1000000)::bigint as finished_at
  from pgjobq.ended_badly(
           $1, $2,
           case when $3::text is not null then coalesce((select id from pgjobq.queues where name = $3), -1) end,
           $4, coalesce(timestamptz 'epoch' + $5::bigint * interval '1 microsecond', 'infinity'), $6, $7) f
