-- Removes the schema of a measurement, with all that was measured.
set client_min_messages = warning;
drop schema if exists pgjobq_bench cascade
