-- How one job stands, for people. $1 shard   $2 id
select state, queue, kind, attempt, failures, crashes,
       (extract(epoch from created_at) * 1000000)::bigint as created_at,
       (extract(epoch from run_at) * 1000000)::bigint as run_at,
       (extract(epoch from finished_at) * 1000000)::bigint as finished_at
  from pgjobq.job_states where shard = $1 and id = $2 order by finished_at desc nulls first limit 1
