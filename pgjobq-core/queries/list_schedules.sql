-- Lists schedules. $1 the name of one, or null   $2 the name after which, or null   $3 how many, or null
select name, kind, queue, definition::text as definition, args, is_declared, set_by, pgjobq.micros(set_at) as set_at,
       pgjobq.micros(paused_at) as paused_at, pgjobq.micros(stopped_at) as stopped_at,
       pgjobq.micros(passed_to) as passed_to, pgjobq.micros(last_tick) as last_tick,
       pgjobq.micros(last_fired_at) as last_fired_at, last_job, pgjobq.micros(last_missed) as last_missed,
       last_missed_why, pgjobq.micros(now) as now
  from pgjobq.list_schedules($1, $2, $3)
