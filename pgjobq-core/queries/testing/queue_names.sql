-- The names of all queues.
select name from pgjobq.queues where deleted_at is null order by name
