-- The kinds of jobs that are in line, and that a worker with these kinds cannot run: as a claim names them. $1 kinds
select distinct k.kind from pgjobq.jobs j, lateral (select pgjobq.versioned_kind(j.kind, j.meta) as kind) k
 where j.ticket is not null and k.kind <> all ($1::text[]) order by k.kind
