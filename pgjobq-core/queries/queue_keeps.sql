-- The time for which completed jobs of queues are kept, unless their kind says otherwise. $1 queues
select id, (extract(epoch from pgjobq.keep_of(id, 'completed')) * 1000000)::bigint as keep
  from pgjobq.queues where id = any ($1)
