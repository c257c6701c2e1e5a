-- The limits of kinds and queues in the whole fleet, and how full they are.
select scope, name, per_key, concurrency, permits, rates, rates_left, waiting, exact
  from pgjobq.limits_overview order by scope desc, name
