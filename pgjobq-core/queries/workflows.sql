-- The latest workflows with a smaller id, for people. $1 shards   $2 before this id (null: from the latest)   $3 how many
select w.id, w.name, w.outcome, w.live + w.roles as live, w.failed, (extract(epoch from w.created_at) * 1000000)::bigint as created_at,
       (extract(epoch from w.ended_at) * 1000000)::bigint as ended_at, (extract(epoch from w.deadline) * 1000000)::bigint as deadline
  from unnest($1::smallint[]) s(shard),
       lateral (select id, name, outcome, live, roles, failed, created_at, ended_at, deadline from pgjobq.workflows
                 where shard = s.shard and id < coalesce($2, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid)
                 order by shard desc, id desc limit $3) w
 order by w.id desc limit $3
