-- The kinds that programs have recorded, each with the number of live workers that know it. Times are in
-- microseconds since 1970.
select k.kind, k.queue, k.priority, k.retries, k.max_crashes, k.redact, k.aliases,
       pgjobq.micros(k.recorded_at) as recorded_at, coalesce(w.workers, 0) as workers
  from pgjobq.kinds k
  left join (select split_part(versioned, '@', 1) as kind, count(distinct id) as workers
               from pgjobq.workers, unnest(kinds) versioned
              where seen_at > clock_timestamp() - lease
              group by 1) w on w.kind = k.kind
 order by k.kind
