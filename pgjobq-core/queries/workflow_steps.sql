-- The next steps of a workflow, with their edges. $1 shard   $2 id   $3 after this number   $4 how many
select n, job, kind, name, role, state, children, demands from pgjobq.workflow_steps($1, $2, $3, $4)
