-- Drops the oldest partition of `finished` whose day is over.
select pgjobq.drop_partition(clock_timestamp()) as dropped
