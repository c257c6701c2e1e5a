-- Records the schedules of a program's code. $1 an array of objects with `name`, `digest` and `definition`, as JSON
select pgjobq.record_schedules($1::jsonb)::text
