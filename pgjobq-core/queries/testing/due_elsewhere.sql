-- The kinds of jobs that would run now, and that a worker with these kinds cannot run: as a claim names them.
-- Jobs that are paused, have expired, or are to be cancelled run nowhere. $1 kinds
select distinct k.kind
  from pgjobq.jobs j
       left join pgjobq.queues q on q.id = j.queue_id,
       lateral (select pgjobq.versioned_kind(j.kind, j.meta) as kind) k
 where j.ticket is not null and k.kind <> all ($1::text[])
   and (j.expires_at <= clock_timestamp()) is not true
   and not exists (select from pgjobq.cancels c
                    where c.shard = j.shard and c.job = j.id and c.created_at = j.created_at)
   and not exists (select from pgjobq.pauses p
                    where (p.until is null or p.until > clock_timestamp())
                      and p.name = case p.scope when 'queue' then q.name when 'kind' then j.kind
                                                else j.key end)
 order by k.kind
