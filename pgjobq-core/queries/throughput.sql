-- The attempts of the last ten minutes that ended, in spans of `$1` seconds, numbered from the latest: 0 is
-- the span that ends now. Spans without any have no row. $1 seconds
select span, completed, failed from pgjobq.ended_attempts($1)
