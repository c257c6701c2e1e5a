-- Fires ticks of a schedule. $1 name   $2 version   $3 the time up to which its ticks have passed   $4 ticks
-- $5 the last tick that nobody will fire, and $6 why   $7 the time of the look   $8 its next tick
-- (times in microseconds since 1970)
select fired, missed from pgjobq.fire_schedule($1, $2, $3, $4, $5, $6, $7, $8)
