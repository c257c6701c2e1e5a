-- The settings of a limit. $1 kind or queue   $2 its name
select s.setting, s.by_code::text, s.by_operator::text, s.set_by, s.role,
       (extract(epoch from s.set_at) * 1000000)::bigint as set_at,
       exists (select from pgjobq.limits where scope = $1 and name = $2)
       or case when $1 = 'queue' then exists (select from pgjobq.queues where name = $2 and deleted_at is null)
               else exists (select from pgjobq.kinds where kind = $2) end as known
  from pgjobq.limit_settings($1, $2) s
