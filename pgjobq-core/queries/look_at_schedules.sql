-- Returns the schedules that are due. $1 the highest number   $2 and $3 the time and the name of the last one
-- before, or null
select now, next_due, due::text as due, is_any from pgjobq.look_at_schedules($1, $2, $3)
