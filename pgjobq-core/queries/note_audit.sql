-- Records that somebody asks for an action. $1 who   $2 action   $3 subject   $4 reason
select pgjobq.note_audit($1, $2, $3, $4) as id
