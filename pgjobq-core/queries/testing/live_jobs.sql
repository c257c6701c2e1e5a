-- The live jobs in the order of their enqueue, with their arguments as they are stored and as they are shown.
-- `meta` has the version of the arguments. They are incomplete while some are outputs of steps that have not
-- ended.
select j.id, j.kind, coalesce(s.queue, '') as queue, s.state, j.priority::smallint as priority, j.args,
       j.meta::text as meta, coalesce(s.args, '{}') as shown, coalesce(j.attributes, '{}') as attributes,
       j.key,
       j.waits_for > 0 and exists (select from pgjobq.steps t
                                    where t.shard = j.shard and t.workflow = pgjobq.workflow_of(j.meta)
                                      and t.n = pgjobq.number_of_step(j.meta) and t.inputs is not null)
           as is_incomplete,
       (extract(epoch from j.created_at) * 1000000)::bigint as created_at,
       (extract(epoch from j.run_at) * 1000000)::bigint as run_at
  from pgjobq.jobs j
       join pgjobq.job_states s on s.shard = j.shard and s.id = j.id and s.finished_at is null
 order by j.created_at, j.ticket, j.id
