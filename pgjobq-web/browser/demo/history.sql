-- The attempts of the ten minutes before, as the workers of the queue would have noted them.
insert into pgjobq.rates (shard, queue_id, at, completed, failed)
select 0, q.id, clock_timestamp() - n * interval '30 s' + interval '10 s',
       (31 + 14 * sin(n / 2.5) + n * 7 % 5)::int, (array[0, 1, 0, 3, 0, 0, 6, 2])[1 + n % 8]
  from pgjobq.queues q, generate_series(1, 19) n
 where q.name = 'mail'
