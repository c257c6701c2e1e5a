-- The shards that have requests to cancel, of these. $1 shards
select shard from unnest($1::smallint[]) s(shard)
 where exists (select 1 from pgjobq.cancels c where c.shard = s.shard)
