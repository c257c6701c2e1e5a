-- Queues that are deleted, in which there may be jobs still.
select id from pgjobq.queues where deleted_at is not null
