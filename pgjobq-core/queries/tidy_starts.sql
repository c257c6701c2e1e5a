-- Deletes histories in which no start counts any more. $1 shard   $2 after this limit   $3 how many to look at
select pgjobq.tidy_starts($1, $2, $3) as scanned_to
