-- Sets what the code says of the bound of a queue. $1 queue   $2 bound (null: as it was; 0: none)
-- $3 what an enqueue does when the queue is full (null: as it was)
select pgjobq.save_bound($1, $2, $3)
