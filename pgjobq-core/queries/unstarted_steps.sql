-- Some steps of these workflows that are due and do not run, like unstarted.sql. $1 shards   $2 workflows
select w.id as awaited, u.id, u.kind, u.queue, u.sentence
  from unnest($1::smallint[], $2::uuid[]) w(shard, id),
       lateral (select job from pgjobq.workflow_steps(w.shard, w.id, 0, 1000) where state = 'ready' limit 10) s,
       lateral pgjobq.unstarted(array[w.shard], array[s.job]) u
