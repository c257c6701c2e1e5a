-- The harness's own books. They are in the same database, so that a crash of the server treats them alike; but everything
-- except `effects` is written outside of the transaction that completes a job.

-- The order of events. Timestamps cannot give it, because the server's clock steps.
create sequence moments;

-- Each time that a job function ran: its effect outside. `lease` and `holder` say under whose lease it began.
create table runs (
    run uuid primary key,
    began bigint not null default nextval('moments'),
    ended bigint,
    job uuid not null,
    attempt int not null,
    place int not null,
    lease bigint,
    holder text,
    worker text not null
);
create index runs_by_job on runs (job);
create index runs_by_beginning on runs (began);

-- Rows that a job function wrote in the transaction that completes its job.
create table effects (
    job uuid not null,
    run uuid not null
);

-- Rows that a producer wrote in the transaction that enqueues a job.
create table orders (
    job uuid primary key
);

-- Jobs that wait for another one.
create table chains (
    parent uuid not null,
    child uuid not null
);

-- What runs got from the parents of their steps.
create table inputs (
    run uuid not null,
    input uuid not null
);

-- Workflows in which a person has removed the cause of the failures.
create table repaired (
    workflow uuid primary key
);

-- Each end of a job, and the lease that covered it at that moment: an account that the library does not keep.
create table ends (
    job uuid not null,
    lease bigint,
    at bigint not null default nextval('public.moments')
);
create index ends_by_job on ends (job);

-- Some functions of the library look for names in its schema only, and this is called from them.
create function note_end() returns trigger language plpgsql as $$
begin
    insert into public.ends (job, lease)
      values (old.id, (select l.id from pgjobq.leases l
                        where l.shard = old.shard and l.queue_id = old.queue_id and l.priority = old.priority
                          and l.tickets @> old.ticket));
    return null;
end $$;

create trigger note_end after delete on pgjobq.jobs for each row execute function note_end();
