-- The pauses that are not over.
select scope, name, (extract(epoch from until) * 1000000)::bigint as until, reason, paused_by, role,
       (extract(epoch from paused_at) * 1000000)::bigint as paused_at
  from pgjobq.pauses
 where until is null or until > clock_timestamp()
 order by paused_at, scope, name
