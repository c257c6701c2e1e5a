-- Deletes the row of a deleted queue. $1 queue
select pgjobq.forget_queue($1)
