-- Dead jobs that died alike, the largest groups first. $1 how many groups
select queue, kind, error, jobs, first_at, last_at, last, exact from pgjobq.dead_groups($1)
