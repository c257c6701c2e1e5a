-- The microseconds until the next scheduled job comes due; null if none is scheduled.
select (extract(epoch from min(run_at) - clock_timestamp()) * 1000000)::bigint as next_due
  from pgjobq.jobs where run_at is not null and waits_for = 0
