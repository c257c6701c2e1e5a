-- Ids of queues in which jobs wait although no such queue exists. $1 shards
select distinct id from unnest($1::smallint[]) s, lateral unnest(pgjobq.stray_queues(s)) id
