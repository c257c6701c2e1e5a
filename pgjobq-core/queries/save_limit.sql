-- Sets the limit of a queue, as the code states it. $1 queue   $2 the limit as JSON; null removes it
select pgjobq.save_limit($1, $2::jsonb)::text
