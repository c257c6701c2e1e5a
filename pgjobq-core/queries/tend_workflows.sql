-- Does the next piece of work on workflows. $1 shard   $2 along how many edges
select queues, ended, cancelling, more,
       exists (select from pgjobq.edges where shard = $1) as has_edges
  from pgjobq.tend_workflows($1, $2)
