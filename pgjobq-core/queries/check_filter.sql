-- Reads a filter, and fails if it cannot be read. $1 a jsonpath
select $1::text::jsonpath is not null as readable
