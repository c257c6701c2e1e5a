-- Deletes ended jobs that have no partition and are no longer kept. $1 how many
select deleted, remain from pgjobq.tidy_rest($1, clock_timestamp())
