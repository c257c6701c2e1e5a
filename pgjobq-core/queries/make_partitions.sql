-- Make the missing partitions of finished. $1 the horizon in days
select pgjobq.make_partitions($1) as made
