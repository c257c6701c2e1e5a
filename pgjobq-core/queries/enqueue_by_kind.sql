-- Enqueues a job of a kind that this program need not know. $1 kind   $2 arguments   $3 queue   $4 priority   $5 retries   $6 run at, in
-- microseconds since 1970   $7 delay and $8 expiry, in microseconds   $9 id   $10 attributes   $11 key   $12 unique key
select e.job, e.outcome
  from pgjobq.enqueue(
           $1, $2::jsonb, $3, $4, $5, run_at => timestamptz 'epoch' + $6::bigint * interval '1 microsecond',
           delay => $7::bigint * interval '1 microsecond', id => $9, expires_in => $8::bigint * interval '1 microsecond',
           attributes => $10::jsonb, key => $11, unique_key => $12) e
