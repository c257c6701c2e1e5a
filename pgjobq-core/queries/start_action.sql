-- Records an action on all jobs that match. $1 action   $2 filter   $3 selection   $4 rate
-- $5 microseconds for each job   $6 by   $7 reason   $8 queue   $9 priority   $10 microseconds since 1970
select pgjobq.start_action(
           $1, $2, $3::pgjobq.selection, $4, $5, $6, $7, $8, $9,
           timestamptz 'epoch' + $10::bigint * interval '1 microsecond') as id
