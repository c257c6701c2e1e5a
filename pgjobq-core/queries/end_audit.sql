-- Records the outcome of an action. $1 record   $2 outcome
select pgjobq.end_audit($1, $2) as ended
