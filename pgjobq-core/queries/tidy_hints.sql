-- Delete what is no longer true from the tables of hints. $1 shards
select pgjobq.tidy_hints(s, clock_timestamp()) from unnest($1::smallint[]) s
