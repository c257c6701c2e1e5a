-- Confirms new edges between jobs. $1 shard   $2 how many
select more from pgjobq.confirm_edges($1, $2)
