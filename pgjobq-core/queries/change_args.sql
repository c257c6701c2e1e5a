-- Changes the arguments of a job that does not run. $1 id   $2 arguments   $3 their version (null: as it was)
-- $4 attributes (null: as they were)   $5 the kinds that it may be of (null: any)   $6 by whom   $7 why
select answer, kind from pgjobq.change_args($1, $2::jsonb, $3, $4::jsonb, $5, $6, $7)
