-- Workers that are silent and that nobody has reaped, and jobs that no live worker takes.
select 'worker ' || w.name as subject,
       format('the worker %s (%s) has been silent for %s, longer than its lease of %s, and no live worker has taken its %s jobs back',
              w.name, w.id, date_trunc('second', w.silent_for), w.lease, w.running) as sentence,
       format('delete from pgjobq.workers where id = %s', w.id) as repair, false as is_safe, 'error' as severity
  from pgjobq.workers_overview w where w.silent_for > 2 * w.lease
 union all
select format('kind %s in queue %s', u.kind, u.queue),
       format('no live worker takes jobs of the kind %s in the queue %s: %s of its first jobs wait for one; deploy a worker that '
              'knows the kind and serves the queue, or cancel them', u.kind, u.queue, u.jobs),
       format('select pgjobq.cancel(id) from pgjobq.jobs where kind = %L and queue_id = %s', u.kind, u.id), false, 'warning'
  from (select q.id, q.name as queue, a.kind, count(*) as jobs
          from pgjobq.settings s cross join generate_series(0, s.shards - 1) shard cross join pgjobq.queues q,
               lateral pgjobq.unaccepted(shard::smallint, q.id) a
         where q.deleted_at is null group by q.id, q.name, a.kind) u
