-- Make sure that a queue is there, with its options. $1 name   $2-$5 how long completed, dead, cancelled and expired jobs are
-- kept, in microseconds (null: as it was)
select pgjobq.save_queue($1, $2, $3, $4, $5) as id
