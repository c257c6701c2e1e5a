-- The errors of attempts that failed, of these jobs. $1 ids
select f.job as id, f.attempt, f.message from pgjobq.failures f where f.job = any ($1::uuid[])
union all
select f.id, (e ->> 'attempt')::int, e ->> 'message'
  from pgjobq.finished f, jsonb_array_elements(f.errors) e where f.id = any ($1::uuid[])
