-- The registered workers and what they hold, for people. Times are in microseconds since 1970.
select w.id, w.name, w.beats, pgjobq.micros(w.started_at) as started_at, pgjobq.micros(w.seen_at) as seen_at,
       (extract(epoch from clock_timestamp() - w.seen_at) * 1000000)::bigint as silent,
       (extract(epoch from w.lease) * 1000000)::bigint as lease, w.queues, w.slots, w.kinds, w.filter,
       c.leases, c.running
  from (select id, min(name) as name, max(beats) as beats, min(started_at) as started_at,
               max(seen_at) as seen_at, max(lease) as lease, max(queues) as queues, max(slots) as slots,
               max(kinds) as kinds, max(filter) as filter
          from pgjobq.workers group by id) w,
       lateral pgjobq.worker_counts(w.id) c
 order by w.name, w.id
