-- Sets the limit of a queue, as the code states it. $1 queue   $2 columns of `limits`, as JSON
select pgjobq.save_limit($1, $2::jsonb)::text
