-- Inserts the schedules of the program's code, as the first look of its worker does. Until a worker of the test
-- starts, they are those of a program that is away.
insert into pgjobq.schedules (name, kind, code, digest, passed_to, next_at)
select d.schedule, d.definition #>> '{job,kind}', d.definition, d.digest, n.now, n.now
  from pgjobq.schedule_declarations d, (select clock_timestamp() as now) n
on conflict (name) do nothing
