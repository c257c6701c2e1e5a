-- Records the schedules of a program's code. Returns those that have no tick from now on.
-- $1 an array of objects with `name`, `digest`, `definition` and `last`, as JSON
select pgjobq.record_schedules($1::jsonb) as ended
