-- The state of jobs that a process waits for: live, or ended with an outcome, or unknown (no row). $1 shards
-- $2 ids   $3 the bytes of results and errors to send, null for none
select id, kind, live, outcome, output, errors, attempt, finished_at, left_out,
       (extract(epoch from clock_timestamp()) * 1000000.0)::bigint - finished_at as ended_ago,
       (extract(epoch from clock_timestamp() - created_at) * 1000000.0)::bigint as enqueued_ago
  from pgjobq.lookup($1, $2, $3)
