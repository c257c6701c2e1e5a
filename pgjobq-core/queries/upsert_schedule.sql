-- Sets the definition of a schedule. $1 name   $2 definition, as JSON   $3 by whom
select pgjobq.upsert_schedule($1, $2::jsonb, $3) as done
