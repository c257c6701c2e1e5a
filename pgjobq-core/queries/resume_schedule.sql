-- Resumes a schedule. $1 name
select pgjobq.resume_schedule($1) as done
