-- The same claim for a worker that somebody observes: it also returns how long each job has been due, in
-- microseconds. A job that the snapshot of this statement lacks came meanwhile. Parameters: see `claim`.
select c.priority, c.ticket, c.address, c.id, c.kind, c.args, c.args_text, c.meta, c.attempt, c.failures,
       c.retries, c.max_crashes, c.limits, c.key, c.scanned_to, c.opened, c.more,
       case when c.id is not null
            then coalesce((date_part('epoch', clock_timestamp() - coalesce(j.due_at, j.created_at))
                           * 1000000)::bigint, 0) end as waited
  from pgjobq.claim($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14,
         case when $15::text is not null then row($15::text::jsonpath, $16, null)::pgjobq.job_filter end) c
  left join lateral (select due_at, created_at from pgjobq.jobs
                      where ctid = c.address and shard + 0 = $1 and id is not distinct from c.id
                        and ticket is not distinct from c.ticket offset 0) j on true
