-- Deletes what is out of date in the tables that are not logged, and folds small chunks of room. $1 shards
select pgjobq.tidy_hints(s, clock_timestamp()), pgjobq.fold_room(s) from unnest($1::smallint[]) s
