-- The arguments of the next schedules that were set by name. It reads the primary key. $1 after this name (null: from the first one)
-- $2 how many
select s.name, s.stored #>> '{job,kind}' as kind, s.stored #>> '{job,version}' as version,
       pgjobq.printed(s.stored #> '{job,args}', 8388608) as args
  from pgjobq.schedules s
 where s.stored is not null and s.name > coalesce($1, '') order by s.name limit $2
