-- Take back one lease of a worker that is not there. $1 shard   $2 how long the dead are kept, in microseconds
select requeued, buried, queue from pgjobq.reap($1, $2 * interval '1 microsecond')
