-- The state of the fleet. $1 the highest age in microseconds
select state, age, is_new from pgjobq.fleet_state($1)
