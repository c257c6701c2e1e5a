-- The jobs near the front of these queues that have waited for a minute, and that no live worker accepts: by
-- kind, the oldest of each. $1 shards   $2 queues
select q.id as queue, u.kind, (array_agg(u.id order by u.created_at))[1] as job
  from unnest($1::smallint[]) s, unnest($2::int[]) q(id), lateral pgjobq.unaccepted(s, q.id) u
 where u.created_at < clock_timestamp() - interval '1 minute'
 group by q.id, u.kind limit 20
