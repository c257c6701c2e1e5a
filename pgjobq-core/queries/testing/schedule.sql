-- The schedule of this name, as a look at due ones returns it, and whether any tick of it will come. $1 name
select jsonb_build_object('name', s.name, 'version', s.version, 'passed_to', pgjobq.micros(s.passed_to),
                         'next_at', coalesce(pgjobq.micros(s.next_at), 0),
                          'definition', coalesce(s.stored, s.code) - 'job')::text as schedule,
       s.next_at is not null and s.paused_at is null as fires
  from pgjobq.schedules s where s.name = $1
