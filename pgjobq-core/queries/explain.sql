-- Explains why a job is not running, or how it ended, the most important reason first. $1 id
select code, sentence, details::text as details from pgjobq.explain($1)
