-- Requests to cancel a workflow. $1 id   $2 why
select pgjobq.cancel_workflow($1, $2) as requested
