-- Enqueues at most a thousand steps of a workflow. $1-$12 as in enqueue_many, but with the shapes of all steps
-- $13 workflow   $14 name   $15 number of steps without a role, $16 and with one   $17 deadline (microseconds)
-- $18 number of each step   $19 name   $20 role   $21 children   $22 demands   $23 inputs   $24 number of parents
-- $25 whether to notify in this transaction
-- $26 how long to wait for an open transaction of another session, in milliseconds
-- $27 the version of this program   $28 the parents outside of the workflow
select is_new, unknown, wake, missing
  from pgjobq.enqueue_workflow($13, $14, $15, $16, $17, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12,
                               $18, $19, $20, $21, $22, $23, $24, $25, $26, $27,
                               $28::text::jsonb)
