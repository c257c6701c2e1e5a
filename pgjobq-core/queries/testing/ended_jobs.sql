-- How many jobs of some kinds have ended, and are still kept, for each outcome. $1 kinds
select outcome, count(*) as jobs
  from pgjobq.finished
 where kind = any ($1::text[]) group by outcome order by outcome
