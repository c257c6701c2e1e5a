-- Cancels the jobs of a full queue that have waited for the longest time. $1 queue   $2 how many
-- `has_followers`: something may follow from the ends of jobs.
select pgjobq.drop_oldest($1, $2) as dropped,
       exists (select from pgjobq.edges where shard = 0)
       or exists (select from pgjobq.steps where shard = 0) as has_followers
