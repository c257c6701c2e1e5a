-- Pauses a schedule. $1 name
select pgjobq.pause_schedule($1) as done
