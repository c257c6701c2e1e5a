-- The ids of queues by name. $1 names
select name, id from pgjobq.queues where name = any ($1) and deleted_at is null
