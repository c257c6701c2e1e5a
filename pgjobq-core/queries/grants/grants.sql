-- The grants that the two kinds of programs need. Run this part as the owner of the schema, and make your own roles members:
--   grant pgjobq_producer to web;   grant pgjobq_worker to jobs;
-- (Roles belong to the whole server, so that another database's may be there, or come in just now.)
do $$ begin
    begin create role pgjobq_producer nologin; exception when duplicate_object or unique_violation then null; end;
    begin create role pgjobq_worker nologin; exception when duplicate_object or unique_violation then null; end;
end $$;

-- A producer enqueues, waits, and looks.
grant usage on schema pgjobq to pgjobq_producer, pgjobq_worker;
grant usage on sequence pgjobq.ticket to pgjobq_producer;
grant select on pgjobq.settings, pgjobq.migrations, pgjobq.queues, pgjobq.kinds, pgjobq.workers, pgjobq.leases,
    pgjobq.finished, pgjobq.progress, pgjobq.rates, pgjobq.job_states to pgjobq_producer;
grant select, insert on pgjobq.jobs to pgjobq_producer;
grant select, insert, update on pgjobq.waiters to pgjobq_producer;

-- (Cancelling needs no more: those functions run with their owner's rights.)

-- A worker runs the jobs, and may do all that its functions do.
grant select, usage on sequence pgjobq.ticket to pgjobq_worker;
grant select, insert, update, delete on pgjobq.queues, pgjobq.kinds, pgjobq.lanes, pgjobq.jobs, pgjobq.leases,
    pgjobq.workers, pgjobq.failures, pgjobq.finished, pgjobq.cancels, pgjobq.progress, pgjobq.waiters to pgjobq_worker;
grant select on pgjobq.settings, pgjobq.migrations, pgjobq.finished_days, pgjobq.job_states to pgjobq_worker;
grant select, insert, delete on pgjobq.rates to pgjobq_worker;
grant select, update, delete on pgjobq.finished_rest to pgjobq_worker;
