-- The next ended jobs that match, as JSON, each with the place after it, and last where to go on.
-- $1 selection   $2 place   $3 how many
select line, next from pgjobq.export_jobs($1::pgjobq.selection, $2::pgjobq.place, $3)
