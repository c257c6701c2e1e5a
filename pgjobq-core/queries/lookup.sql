-- How jobs stand whose end somebody awaits: live, or ended and how, or unknown (no row). $1 shards   $2 ids
-- One snapshot, so that a job is never seen as neither. The latest end wins: an id may have run before.
-- The primary key of jobs, and finished_by_id in each partition.
select w.id, live.kind is not null as live, ended.outcome, ended.output::text as output, ended.errors::text as errors,
       ended.attempt, (extract(epoch from ended.finished_at) * 1000000)::bigint as finished_at
  from unnest($1::smallint[], $2::uuid[]) w(shard, id)
  left join lateral (select kind from pgjobq.jobs j where j.shard = w.shard and j.id = w.id) live on true
  left join lateral (select outcome, output, errors, attempt, finished_at
                       from pgjobq.finished f where f.shard = w.shard and f.id = w.id
                      order by finished_at desc limit 1) ended on live.kind is null
 where live.kind is not null or ended.outcome is not null
