-- Enqueues a batch. $1-$5 shapes: kind, queue, priority, retries, max_crashes   $6 id
-- $7 shape of each row   $8 args   $9 meta   $10 attributes   $11 key
-- $12 delay   $13 run_at   $14 expires_in (microseconds, null for now or never)
-- $15 whether to notify in this transaction
-- $16 how long to wait for an open transaction of another session, in milliseconds
-- $17 the version of this program   $18 the jobs that they wait for
-- $19 weight   $20 unique key   $21 for each shape, what else it says of limits and unique keys
-- $22 what to do in a bounded queue with too little room: see `enqueue_bounded`
select inserted, unknown, duplicate, other_kind, wake, refused, limited, misplaced, "full"::text as "full",
       held::text as held
  from pgjobq.enqueue_many($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16,
                           $17, null, $18::text::jsonb, $19, $20, $21, $22)
