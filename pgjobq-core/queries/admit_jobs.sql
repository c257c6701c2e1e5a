-- Admits what it can under the limits of jobs that wait for permits, shard by shard. $1 ids
-- `ended`: the jobs that this admission has ended. `dropped`: those of $1 that any admission has ended.
-- `wake`: the queues with jobs that may start now, in which a worker waits to be notified.
-- `has_followers`: something may follow from the ends of jobs.
-- The settings are no table of the join: PostgreSQL expects a thousand rows there, and would compile the statement each time (JIT).
select g.shard, a.admitted, a.queues, a.more is true as more, a.ended, a.dropped, a.next_look is not null as awaits,
       array(select distinct i.id from pgjobq.workers w, unnest(w.idle) i(id)
              where w.shard = 0 and i.id = any (a.queues)) as wake,
       a.ended is not null and (exists (select from pgjobq.edges e where e.shard = g.shard)
                                or exists (select from pgjobq.steps s where s.shard = g.shard)) as has_followers
  from (select pgjobq.shard_of(id, (select shards from pgjobq.settings)) as shard, array_agg(id) as ids
          from unnest($1::uuid[]) id group by 1 order by 1) g,
       lateral pgjobq.admit_jobs(g.shard, g.ids) a
