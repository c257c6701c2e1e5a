-- How many jobs of a kind have ended, and are still kept, for each outcome. $1 kind
select outcome, count(*) as jobs from pgjobq.finished where kind = $1 group by outcome order by outcome
