-- Marks a queue as deleted. $1 name
select pgjobq.delete_queue($1) as id
