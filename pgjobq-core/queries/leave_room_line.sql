-- Leaves the line of a full queue. $1 queue   $2 number of the place   $3 whether to notify the others
select pgjobq.leave_room_line($1, $2, $3)
