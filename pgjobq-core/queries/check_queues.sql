-- The state of the queues that a worker serves, by name. $1 names   $2 shards
select n.name, q.id, q.deleted_at is not null as deleted, s.shards,
       q.id is null or coalesce(l.lanes, 0) < s.shards as incomplete,
       coalesce(pg_sequence_last_value('pgjobq.ticket'), 0) as drawn
  from pgjobq.settings s cross join unnest($1::text[]) n(name)
  left join pgjobq.queues q on q.name = n.name
  left join (select queue_id, count(*) as lanes from pgjobq.lanes where shard = any ($2) group by queue_id) l
    on l.queue_id = q.id
