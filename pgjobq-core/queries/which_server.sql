-- The process of the server that answers. Sent as plain text, because a prepared statement would be lost between
-- two of them.
select pg_backend_pid()
