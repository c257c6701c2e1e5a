-- Creates a queue if it is missing, and sets its retention. $1 name
-- $2-$5 how long completed, dead, cancelled and expired jobs are kept, in microseconds (null: as it was)
select pgjobq.save_queue($1, $2, $3, $4, $5) as id
