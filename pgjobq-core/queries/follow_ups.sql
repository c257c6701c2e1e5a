-- The shards in which something follows from what others did, of these: requests to cancel; or ended parents
-- whose children do not know it yet, edges to confirm, and workflows in which something is due. Actions on many
-- jobs are reported with the first shard. `limited`: jobs wait for permits. `unique_requests`: unique jobs have met
-- another one. $1 shards
select shard, cancels, untended or edges as unsettled, actions, limited, unique_requests
  from unnest($1::smallint[]) s(shard),
       (select pgjobq.find_untended($1) as shards offset 0) u,
       (select exists (select from pgjobq.actions where ended_at is null) as go_on offset 0) a,
       lateral (select exists (select from pgjobq.cancels c where c.shard = s.shard) as cancels,
                       s.shard = any (u.shards) as untended,
                       exists (select from pgjobq.ended_parents p where p.shard = s.shard)
                       or exists (select from pgjobq.edges e where e.shard = s.shard and not e.is_confirmed)
                           as edges,
                       pgjobq.has_limited(s.shard) as limited,
                       exists (select from pgjobq.unique_requests r where r.shard = s.shard) as unique_requests,
                       a.go_on and s.shard = $1[1] as actions
               offset 0) f
 where cancels or untended or edges or actions or limited or unique_requests
