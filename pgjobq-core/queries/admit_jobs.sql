-- Admits what it can under the limits of jobs that wait for permits, shard by shard. $1 ids
select g.shard, a.admitted, a.queues, a.more is true as more, a.ended, a.next_look is not null as awaits
  from (select pgjobq.shard_of(id, s.shards) as shard, array_agg(id) as ids
          from pgjobq.settings s, unnest($1::uuid[]) id group by 1 order by 1) g,
       lateral pgjobq.admit_jobs(g.shard, g.ids) a
