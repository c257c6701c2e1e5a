-- Make sure that a queue is there, with its lanes. $1 name
select pgjobq.create_queue($1) as id
