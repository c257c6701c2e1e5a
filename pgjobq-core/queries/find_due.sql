-- Finds the shards that have scheduled jobs to promote. $1 shards
-- $2 the cursor of each (microseconds since 1970)
select due, (extract(epoch from looked) * 1000000)::bigint as looked, next_due, awaited
  from pgjobq.find_due($1, array(select timestamptz 'epoch' + micros * interval '1 microsecond'
                                  from unnest($2::bigint[]) with ordinality u(micros, place) order by place))
