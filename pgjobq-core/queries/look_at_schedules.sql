-- Returns the schedules that are due. $1 the highest number
select now, next_due, due::text as due, is_any from pgjobq.look_at_schedules($1)
