-- Records the policies of kinds, and their queues. $1 an array of objects with the columns of `kinds`, as JSON
select pgjobq.record_kinds($1::jsonb) as warnings
