-- Waits in line for room in a full queue. $1 queue   $2 number of the place (null: a new one)   $3 how many jobs
select number, turn from pgjobq.await_room($1, $2, $3)
