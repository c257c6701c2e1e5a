-- Lets the job of a tick be due now. With a jitter it would start at the tick, which a test need not wait for,
-- or later. It expires as long after that as before. $1 schedule   $2 tick, in microseconds since 1970
update pgjobq.jobs j
   set run_at = n.now, expires_at = j.expires_at - (j.run_at - n.now)
  from pgjobq.schedules s, (select clock_timestamp() as now) n
 where s.name = $1 and pgjobq.micros(s.last_tick) = $2 and j.id = s.last_job and j.run_at > n.now
