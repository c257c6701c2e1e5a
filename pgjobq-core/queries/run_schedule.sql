-- Enqueues a job of a schedule now. $1 name
select pgjobq.run_schedule($1) as job
