-- Finds deleted queues in which jobs wait, and those whose rows may be deleted. $1 shards
select pgjobq.deleted_queues($1) as used, pgjobq.forgettable_queues(clock_timestamp()) as over
