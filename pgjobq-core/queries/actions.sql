-- Actions on many jobs, the latest first. $1 action (null: all)   $2 only those before this one (null: all)
-- $3 only those that go on   $4 how many
select id, action, filter, matched, changed, problem, outcome, rate, asked_by, role, reason,
       (extract(epoch from created_at) * 1000000)::bigint as created_at,
       (extract(epoch from ended_at) * 1000000)::bigint as ended_at,
       array(select key from jsonb_each_text(left_out) order by key) as reasons,
       array(select value::bigint from jsonb_each_text(left_out) order by key) as counts
  from pgjobq.actions
 where ($1::bigint is null or id = $1) and ($2::bigint is null or id < $2) and (ended_at is null or not $3)
 order by id desc limit $4
