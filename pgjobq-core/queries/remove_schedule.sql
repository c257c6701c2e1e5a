-- Removes a schedule. $1 name
select pgjobq.remove_schedule($1) as done
