-- Requests notifications of ended jobs for a while. $1 shards   $2 process   $3 microseconds
insert into pgjobq.waiters (shard, process, until)
select s, $2, clock_timestamp() + $3::float8 * interval '1 microsecond'
  from pg_catalog.unnest($1::smallint[]) s
on conflict (shard, process) do update set until = excluded.until
