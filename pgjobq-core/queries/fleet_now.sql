-- The state of the fleet, for those who may only read. $1 the highest age in microseconds
select state, age, is_new from pgjobq.fleet_now($1)
