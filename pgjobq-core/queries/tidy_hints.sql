-- Deletes what is out of date in the tables that are not logged. $1 shards
select pgjobq.tidy_hints(s, clock_timestamp()) from unnest($1::smallint[]) s
