-- Makes the missing partitions of `finished`. $1 for how many days the caller's kinds are kept at most
select pgjobq.make_partitions($1, clock_timestamp(), 1) as made
