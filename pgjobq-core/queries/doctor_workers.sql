-- Workers that are silent and that nobody has reaped, and jobs that no live worker takes. No statement
-- repairs the latter: to cancel them would lose jobs that a deploy lets run.
select 'worker ' || w.name as subject,
       format('the worker %s (%s) has been silent for %s, longer than its lease of %s, and no live worker '
              'has taken its %s jobs back',
              w.name, w.id, date_trunc('second', w.silent_for), w.lease, w.running) as sentence,
       format('delete from pgjobq.workers where id = %s', w.id) as repair, false as is_safe,
       'error' as severity
  from pgjobq.workers_overview w where w.silent_for > 2 * w.lease
 union all
select format('kind %s in queue %s', u.kind, u.queue),
       format(case when k.of_kind = 0
                   then 'no live worker takes jobs of the kind %s in the queue %s: %s of its first jobs wait '
                        'for one; deploy a worker that knows the kind and serves the queue, or cancel them; '
                        '`pgjobq.explain(''%s'')` says more'
                   else 'no live worker accepts some jobs of the kind %s in the queue %s: the filters of the '
                        'workers pass over %s of its first jobs; deploy a worker that accepts them, or '
                        'cancel them; `pgjobq.explain(''%s'')` says more' end,
              coalesce(u.name || ' with arguments of version ' || u.version, u.name), u.queue, u.jobs,
              u.example),
       null, false, 'warning'
  from (select q.name as queue, a.kind, split_part(a.kind, '@', 1) as name,
               nullif(split_part(a.kind, '@', 2), '') as version, count(*) as jobs, min(a.id::text) as example
          from pgjobq.settings s cross join generate_series(0, s.shards - 1) shard cross join pgjobq.queues q,
               lateral pgjobq.unaccepted(shard::smallint, q.id) a
         where q.deleted_at is null group by q.name, a.kind) u,
       lateral pgjobq.workers_of(u.queue, u.kind) k
