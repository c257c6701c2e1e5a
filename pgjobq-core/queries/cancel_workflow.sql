-- Requests to cancel a workflow. $1 id   $2 why   $3 who
select pgjobq.cancel_workflow($1, $2, $3) as requested
