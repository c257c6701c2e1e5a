-- Claims jobs of one lane. $1 shard   $2 queue   $3 worker   $4 lease   $5 whether to wait for a busy lane
-- $6 kinds   $7 how many   $8 scan hint, by priority
-- $9, $10 tickets that a peek found, and their priorities   $11 bytes of arguments at most
-- $12 kinds of which there are places for $13 jobs   $14 whether without arguments
-- $15 the filter of the worker, a jsonpath   $16 whether it needs columns
select priority, ticket, address, id, kind, args, args_text, meta, attempt, failures, retries, max_crashes,
       limits, key, scanned_to, opened, more
  from pgjobq.claim($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14,
         case when $15::text is not null then row($15::text::jsonpath, $16, null)::pgjobq.job_filter end)
