-- Creates a queue if it is missing, and sets what the code says. One statement, so that nobody sees a part of it. $1 name
-- $2-$5 how long completed, dead, cancelled and expired jobs are kept, in microseconds (null: as it was)
-- $6 how many of its jobs run at a time in each worker (null: as it was)
-- $7 columns of `limits`, as JSON (null: as they were)
-- $8 bound (null: as it was; 0: none)   $9 what an enqueue does when the queue is full (null: as it was)
-- $10 after how long waiting jobs move up one priority, in microseconds (null: as it was; 0: never)
select s.id,
       case when $7::text is not null then pgjobq.save_limit($1, $7::text::jsonb)::text end as "limit",
       case when $8::int is not null or $9::text is not null
            then pgjobq.save_bound(s.id, $8::int, $9::text)::text end as bound,
       case when $10::bigint is not null then pgjobq.save_ageing(s.id, $10::bigint)::text end as ageing
  from pgjobq.save_queue($1, $2, $3, $4, $5, $6) s(id)
