-- Deletes failed attempts of jobs that are gone. $1 shard   $2 after this job   $3 how many
select pgjobq.tidy_failures($1, $2, $3) as scanned_to
