-- Ids of queues that do not exist, in which jobs wait. $1 shards
select distinct id from unnest($1::smallint[]) s, lateral unnest(pgjobq.stray_queues(s)) id
