-- Days without a partition, and ended jobs that lie in none.
select 'finished' as subject,
       format('the table `finished` lacks partitions for %s days, the first of them %s: jobs that are kept until then go to `finished_rest`',
              cardinality(d.days), d.days[1]) as sentence,
       'select pgjobq.make_partitions(0)' as repair, true as is_safe, 'error' as severity
  from (select pgjobq.missing_days(0, clock_timestamp()) as days) d
 where cardinality(d.days) > 0
