-- Lists the next jobs that match, the newest first, and last where to go on. $1 selection   $2 place   $3 how many   $4 how many to look at
select id, state, queue, kind, priority, key, unique_key, attributes, attempt, failures, crashes, created_at, run_at, finished_at,
       error, cancelled_for, next
  from pgjobq.list_newest($1::pgjobq.selection, $2::pgjobq.place, $3, $4)
