-- Enqueues one job that waits for no other. $1-$5 kind, queue, priority, retries, max_crashes   $6 id   $7 args   $8 meta
-- $9 attributes   $10 key   $11 delay   $12 run_at   $13 expires_in (microseconds, null for now or never)
-- $14 whether to notify in this transaction
-- $15 how long to wait for an open transaction of another session, in milliseconds
-- $16 the version of this program
-- $17 what to do in a full queue: see `enqueue_bounded`
select inserted, unknown, duplicate, other_kind, wake, null::jsonb as refused, limited, misplaced,
       "full"::text as "full", null::text as held
  from pgjobq.enqueue_one($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
