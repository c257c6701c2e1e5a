-- The state of the queues that a worker serves, and their settings. $1 names   $2 shards
-- slots: an operator's limit   keep: how long completed jobs are kept, unless their kind says otherwise
-- ages: true if its waiting jobs move up with time   changes: how often operators have changed settings
select n.name, q.id, q.deleted_at is not null as deleted, s.shards,
       q.id is null or coalesce(l.lanes, 0) < s.shards as incomplete,
       coalesce(pg_sequence_last_value('pgjobq.ticket'), 0) as drawn,
       (q.overrides -> 'limit' ->> 'value')::int as slots,
       pgjobq.microseconds(pgjobq.keep_of(q.id, 'completed')) as keep,
       pgjobq.ageing_of(q.id) is not null as ages, s.changes
  -- One row, which the planner does not know of a table that is never analysed.
  from (select shards, changes from pgjobq.settings limit 1) s cross join unnest($1::text[]) n(name)
  left join pgjobq.queues q on q.name = n.name
  left join (select queue_id, count(*) as lanes from pgjobq.lanes where shard = any ($2) group by queue_id) l
    on l.queue_id = q.id
