-- The state of all queues, for people
select queue, ready, scheduled, blocked, limited, running, quarantined, dead, exact, completed, failed, workers, unaccepted, requested,
       paused, bound::bigint as bound, room::bigint as room, (extract(epoch from oldest_ready) * 1000000)::bigint as oldest_ready,
       (extract(epoch from clock_timestamp()) * 1000000)::bigint as now
  from pgjobq.queue_overview order by queue
