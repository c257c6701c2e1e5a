-- Reads the arguments of a job that was claimed without them. $1 shard   $2 job   $3 ticket
select args, meta from pgjobq.read_args($1, $2, $3)
