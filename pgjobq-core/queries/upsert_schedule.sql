-- Sets the definition of a schedule. $1 name   $2 definition, as JSON   $3 its last tick, if it ends, in microseconds since 1970
select pgjobq.upsert_schedule($1, $2::jsonb, $3) as done
