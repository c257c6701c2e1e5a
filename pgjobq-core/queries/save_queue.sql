-- Creates a queue if it is missing, and sets what the code says. $1 name
-- $2-$5 how long completed, dead, cancelled and expired jobs are kept, in microseconds (null: as it was)
-- $6 how many of its jobs run at a time in each worker (null: as it was)
select pgjobq.save_queue($1, $2, $3, $4, $5, $6) as id
