-- Pauses what has this name. $1 queue, kind or key   $2 name   $3 until (microseconds since 1970, or null)
-- $4 reason   $5 by whom
select pgjobq.pause($1, $2, timestamptz 'epoch' + $3 * interval '1 microsecond', $4, $5)::text
