-- Reserves numbers for steps that are added to a running workflow. $1 shard   $2 workflow   $3 how many
select pgjobq.reserve_steps($1, $2, $3) as first
