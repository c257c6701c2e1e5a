-- Sets after how long waiting jobs of a queue move up one priority. $1 queue   $2 microseconds (0: never)
select pgjobq.save_ageing($1, $2)
