-- Acts on the requests to cancel these jobs. $1 shard   $2 ids
select cancelled, running from pgjobq.act_on_request($1, $2)
