-- Makes $1 jobs, as they are after some weeks: seven in ten have ended, one of ten of these badly; the others wait in
-- line, in ten queues of which one has half of them. The rows are those that an enqueue and a worker would write.
with made as materialized (
    select n, now() - n * (interval '7 days' / $1::bigint) as at,
           encode(overlay(uuid_send(gen_random_uuid()) placing
               substring(int8send((extract(epoch from now()) * 1000)::bigint - n * 60000000 / $1) from 3)
               from 1 for 6), 'hex')::uuid as id,
           case when n % 2 = 0 then 'bulk' else 'queue.' || n % 19 / 2 end as queue,
           'kind_' || n % 40 as kind,
           jsonb_build_object('order', n, 'email', 'customer' || n || '@example.com') as args,
           jsonb_build_object('tenant', n % 1000) as attributes
      from generate_series(1, $1::bigint) n),
live as (
    insert into pgjobq.jobs (id, created_at, ticket, queue_id, shard, priority, retries, max_crashes, kind, args,
                             attributes)
    select m.id, m.at, nextval('pgjobq.ticket'), q.id, 0, m.n % 4, 20, 3, m.kind, m.args, m.attributes
      from made m join pgjobq.queues q on q.name = m.queue where m.n % 10 >= 7),
days as (select array_agg(day order by day) as days from pgjobq.finished_days where day > current_date)
insert into pgjobq.finished (created_at, finished_at, queue_id, attempt, failures, crashes, drop_on, shard, priority,
                             retries, max_crashes, id, outcome, kind, args, attributes, output, errors)
select m.at, m.at + interval '2 s', q.id, 1, bad, 0, days[1 + m.n % cardinality(days)], 0, m.n % 4, 20, 3, m.id,
       case bad when 1 then (array['dead', 'cancelled', 'dead', 'expired'])[1 + m.n % 4] else 'completed' end,
       m.kind, m.args, m.attributes, case bad when 0 then '{"sent": true}'::jsonb end,
       case bad when 1 then jsonb_build_array(jsonb_build_object(
           'attempt', 1, 'at', m.at, 'reason', 'fatal', 'message', 'the mailbox of order ' || m.n || ' is full'))
       end
  from made m join pgjobq.queues q on q.name = m.queue, days, lateral (select (m.n % 100 < 7)::int as bad) b
 where m.n % 10 < 7
