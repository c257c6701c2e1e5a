-- Which process of the server answers. Sent as plain text, for a prepared one would be lost between two of them.
select pg_backend_pid()
