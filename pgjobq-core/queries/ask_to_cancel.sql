-- Requests that jobs are cancelled. $1 shard   $2 ids   $3 who requests it   $4 why   $5 their kinds (null: any)
select pgjobq.ask_to_cancel($1, $2, $3, $4, $5) as asked
