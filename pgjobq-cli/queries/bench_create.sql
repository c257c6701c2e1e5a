-- Makes the schema of a measurement. By its comment the next measurement knows one that a killed one has left.
create schema pgjobq_bench;
comment on schema pgjobq_bench is 'made by `pgjobq bench`, which removes it'
