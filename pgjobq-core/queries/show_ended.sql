-- Shows how jobs ended, up to 8 MiB of them. $1 shard   $2 ids
-- $3 when they ended (microseconds since 1970, null: the last time)
select place, id, outcome, queue, kind, args, attempt, failures, crashes, created_at, finished_at, errors,
       cancelled_by, cancelled_as, cancelled_for, cancelled_at
  from pgjobq.show_ended($1, $2, $3) order by place
