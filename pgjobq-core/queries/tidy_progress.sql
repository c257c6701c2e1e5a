-- Forget what was said of jobs that are gone. $1 shards
select pgjobq.tidy_progress(s) from unnest($1::smallint[]) s
