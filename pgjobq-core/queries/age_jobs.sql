-- Raises jobs of one lane that have waited for long. $1 shard   $2 queue   $3 how many of each priority
select raised, wait from pgjobq.age_jobs($1, $2, $3)
