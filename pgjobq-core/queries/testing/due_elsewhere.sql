-- The kinds of jobs that are in line, and that a worker with these kinds cannot run. $1 kinds
select distinct kind from pgjobq.jobs where ticket is not null and kind <> all ($1::text[]) order by kind
