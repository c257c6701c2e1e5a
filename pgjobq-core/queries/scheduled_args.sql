-- The arguments of the next schedules that were set by name, at most about 4 MiB of them. It reads the primary key. Arguments of more
-- than 8 MiB are null. $1 after this name (null: from the first one)   $2 how many
select name, kind, version, args
  from (select s.name, s.stored #>> '{job,kind}' as kind, s.stored #>> '{job,version}' as version, p.args,
               sum(octet_length(p.args)) over (order by s.name rows between unbounded preceding and 1 preceding) as bytes_before
          from (select name, stored from pgjobq.schedules
                 where stored is not null and name > coalesce($1, '') order by name limit $2) s,
               lateral (select pgjobq.printed(s.stored #> '{job,args}', 8388608) as args) p) page
 where coalesce(bytes_before, 0) < 4194304
 order by name
