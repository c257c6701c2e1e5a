-- The first names of queues or kinds, for an error about one that does not exist. $1 queue or kind
(select name from pgjobq.queues where $1 = 'queue' and deleted_at is null
  union all
 select kind from pgjobq.kinds where $1 = 'kind') order by 1 limit 20
