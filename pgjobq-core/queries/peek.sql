-- Finds free tickets in several lanes at once. $1 shards   $2 queues   $3 kinds   $4 how many in each lane
-- $5, $6 for each lane and priority, from where and up to where: four numbers a lane, one after the other
-- $7 where the walk through the quarantine begins: the same
-- $8 the filter of the worker, a jsonpath   $9 whether it needs columns
select n::int as lane, p.tickets as found, p.priorities as found_priority, p.scanned_to, p.quarantined,
       p.quarantine, p.pauses, p.paused
  from unnest($1::smallint[], $2::int[]) with ordinality l(shard, queue_id, n),
       lateral pgjobq.peek(l.shard, l.queue_id, $3, $4, ($5::bigint[])[4*n-3:4*n], ($6::bigint[])[4*n-3:4*n],
                           ($7::bigint[])[4*n-3:4*n],
           case when $8::text is not null then row($8::text::jsonpath, $9, null)::pgjobq.job_filter end) p
