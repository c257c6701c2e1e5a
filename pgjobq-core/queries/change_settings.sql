-- Changes settings of a queue. $1 queue   $2 settings   $3 their values, null to reset one   $4 by whom
select pgjobq.change_settings($1, $2, $3, $4)::text
