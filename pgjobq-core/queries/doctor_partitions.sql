-- Days without a partition. Each attach reads all of `finished_rest` under a lock that lasts until the
-- commit. So the repair makes one partition in each transaction, and it is not safe if that table is larger
-- than `make_partitions` admits by itself.
select 'finished' as subject,
       format('the table `finished` lacks partitions for %s days, the first of them %s: jobs that are kept '
              'until then go to `finished_rest`', cardinality(d.days), d.days[1])
       || case when r.is_large
               then format('. That has %s, above 8 MB, so that workers make no partition: each one reads all '
                           'of it, and nobody ends a job meanwhile', pg_size_pretty(r.bytes))
               else '' end as sentence,
       format('do $repair$ begin while pgjobq.make_partitions(0, p_most => 1%s) > 0 loop commit; end loop; '
              'end $repair$',
              case when r.is_large then ', p_rest_bytes => 9223372036854775807' end) as repair,
       not r.is_large as is_safe, 'error' as severity
  from (select pgjobq.missing_days(0, clock_timestamp()) as days) d,
       (select bytes, bytes > 8388608 as is_large from pg_relation_size('pgjobq.finished_rest') bytes) r
 where cardinality(d.days) > 0
