-- The same claim for a worker that somebody observes: it also returns for how long each job has been due, in
-- seconds. Parameters: see `claim`.
select priority, ticket, address, id, kind, args, args_text, meta, attempt, failures, retries, max_crashes,
       limits, key, scanned_to, opened, more, date_part('epoch', clock_timestamp() - due) as waited
  from pgjobq.claim($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14,
         case when $15::text is not null then row($15::text::jsonpath, $16, null)::pgjobq.job_filter end)
