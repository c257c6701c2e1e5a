-- The attempts of the last ten minutes that ended, in spans of `$1` seconds, numbered from the latest: 0 is
-- the span that ends now. Spans without any have no row. $1 seconds
select floor(extract(epoch from clock_timestamp() - at) / $1)::int as span,
       sum(completed)::bigint as completed, sum(failed)::bigint as failed
  from pgjobq.rates
 where at > clock_timestamp() - interval '10 minutes' and at <= clock_timestamp()
 group by 1 order by 1
