-- Deleted queues in which jobs wait, and those to be forgotten. $1 shards
select pgjobq.deleted_queues($1) as used, pgjobq.forgettable_queues(clock_timestamp()) as over
