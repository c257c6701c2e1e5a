-- The records of the actions of people, the latest first. $1 only those before this one (null: all)
-- $2 how many
select id, pgjobq.micros(asked_at) as asked_at, asked_by, role, action, subject, reason, outcome
  from pgjobq.audit
 where ($1::bigint is null or id < $1) order by id desc limit $2
