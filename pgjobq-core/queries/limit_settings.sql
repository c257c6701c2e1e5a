-- The settings of a limit. $1 kind or queue   $2 its name
select s.setting, s.by_code::text, s.by_operator::text, s.set_by, s.role,
       (extract(epoch from s.set_at) * 1000000)::bigint as set_at
  from pgjobq.limit_settings($1, $2) s
