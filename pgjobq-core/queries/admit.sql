-- Gives free permits under limits. $1 shard   $2, $3 limits of kinds: kind, key   $4 limits of queues
-- $5 how many jobs of each limit at most
select $1::smallint as shard, admitted, queues, more, ended, next_look is not null as awaits
  from pgjobq.admit($1, $2, $3, $4, $5)
