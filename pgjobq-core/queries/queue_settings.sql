-- The settings of a queue. $1 queue
select s.setting, s.by_code, s.by_operator, s.set_by, s.role,
       (extract(epoch from s.set_at) * 1000000)::bigint as set_at
  from pgjobq.queues q, lateral pgjobq.settings_of(q.id) s
 where q.name = $1 and q.deleted_at is null
