-- Deletes what is out of date in the tables that are not logged, and unique keys whose time is over; and folds
-- small chunks of room. $1 shards   $2 how many unique keys in each shard
select pgjobq.tidy_hints(s, clock_timestamp()), pgjobq.fold_room(s), pgjobq.tidy_unique(s, $2) as more
  from unnest($1::smallint[]) s
