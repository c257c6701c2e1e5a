-- Claims quarantined jobs of a lane. $1 shard   $2 queue   $3 worker   $4 lease   $5 kinds   $6 how many
-- $7 whether no quarantined job runs in this worker   $8 where the walk begins, by priority
-- $9 whether a job that has to run alone goes first   $10 the filter of the worker, a jsonpath
-- $11 whether it needs columns
select ids, kinds, priorities, tickets, attempts, failures, retries, max_crashes, limits, keys,
       scanned_to, opened, alone, passed
  from pgjobq.claim_quarantined($1, $2, $3, $4, $5, $6, $7, $8, $9,
           case when $10::text is not null then row($10::text::jsonpath, $11, null)::pgjobq.job_filter end)
