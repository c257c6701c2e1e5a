-- Enqueues at most a thousand steps of a workflow. $1-$14 as in enqueue_many, but with the shapes of all steps
-- $15 workflow   $16 name   $17 number of steps without a role, $18 and with one   $19 deadline (microseconds)
-- $20 number of each step   $21 name   $22 role   $23 children   $24 demands   $25 inputs   $26 number of parents
-- $27 whether to notify in this transaction
-- $28 how long to wait for an open transaction of another session, in milliseconds
-- $29 the version of this program   $30 the parents outside of the workflow
-- $31 weight   $32 unique key   $33 for each shape, what else it says of limits and unique keys
select is_new, unknown, wake, refused, misplaced, "full"::text as "full"
  from pgjobq.enqueue_workflow($15, $16, $17, $18, $19, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12,
                               $13, $14, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29,
                               $30::text::jsonb, $31, $32, $33)
