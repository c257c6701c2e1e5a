-- Records the end of an attempt that completes a step, and adds steps to its workflow. $1-$18 as in finish
-- $19-$32 the jobs, as in enqueue_many   $33 workflow   $34 number of each step   $35 name   $36 children
-- $37 demands   $38 inputs   $39 number of parents   $40 the earlier jobs that they wait for
-- $41 the version of this program   $42 weight   $43 unique key
-- $44 for each shape, what else it says of limits and unique keys
select f.stale, f.cancelled, f.waited, f.queues || g.wake as queues, f.ended, true as more, f.room
  from pgjobq.finish($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, false) f,
       lateral pgjobq.grow_workflow(f.stale is null, $33, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29,
                                    $30, $31, $32, $34, $35, $36, $37, $38, $39, $40::text::jsonb, $41,
                                    $42, $43, $44) g
