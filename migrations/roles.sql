-- The grants that the two kinds of programs need. Run this part as the owner of the schema, and make your own
-- roles members:
--   grant pgjobq_producer to web;   grant pgjobq_worker to jobs;
-- (Roles belong to the whole server, so that another database's may be there, or come in just now.)
do $$ begin
    begin create role pgjobq_producer nologin; exception when duplicate_object or unique_violation
        then null; end;
    begin create role pgjobq_worker nologin; exception when duplicate_object or unique_violation
        then null; end;
end $$;

grant usage on schema pgjobq to pgjobq_producer, pgjobq_worker;
