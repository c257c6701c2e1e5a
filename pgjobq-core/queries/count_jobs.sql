-- Counts the jobs that match. $1 selection
select jobs, exact from pgjobq.count_jobs($1::pgjobq.selection)
