-- Cancels the jobs of a full queue that have waited for the longest time. $1 queue   $2 how many
select pgjobq.drop_oldest($1, $2) as dropped
