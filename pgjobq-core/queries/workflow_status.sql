-- The status of a workflow. $1 shard   $2 id
select name, outcome, live + roles as live, failed, created_at, ended_at, deadline, cancelled_by, cancelled_for, steps
  from pgjobq.workflow_status($1, $2)
