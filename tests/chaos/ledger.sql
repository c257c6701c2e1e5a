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
    worker text not null,
    kind text,
    key text,
    queue text,
    ticket bigint
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
    ticket bigint,
    at bigint not null default nextval('public.moments')
);
create index ends_by_job on ends (job);

-- Some functions of the library look for names in its schema only, and this is called from them.
create function note_end() returns trigger language plpgsql as $$
begin
    insert into public.ends (job, ticket, lease)
      values (old.id, old.ticket,
              (select l.id from pgjobq.leases l
                where l.shard = old.shard and l.queue_id = old.queue_id and l.priority = old.priority
                  and l.tickets @> old.ticket));
    return null;
end $$;

create trigger note_end after delete on pgjobq.jobs for each row execute function note_end();

-- Each time that a live job lost its ticket: another attempt of it begins under another one.
create table tickets_lost (
    job uuid not null,
    ticket bigint not null,
    at bigint not null default nextval('public.moments')
);
create index tickets_lost_by_job on tickets_lost (job);

create function note_lost_ticket() returns trigger language plpgsql as $$
begin
    insert into public.tickets_lost (job, ticket) values (old.id, old.ticket);
    return null;
end $$;

create trigger note_lost_ticket after update of ticket on pgjobq.jobs for each row
    when (old.ticket is not null and old.ticket is distinct from new.ticket) execute function note_lost_ticket();

-- The times at which jobs were running under a lease that covered them: from the beginning of the job function until it
-- ended, or the job lost its ticket or its row. These moments are drawn inside of the time that they stand for: a start after
-- the claim, an end before the commit. So a time here is never longer than the true one.
create view held as
    select * from (
        select r.job, r.ticket, r.kind, r.key, r.queue, r.lease, min(r.began) as began,
               max(least(r.ended,
                         (select min(l.at) from tickets_lost l where l.job = r.job and l.ticket = r.ticket),
                         (select min(e.at) from ends e where e.job = r.job))) as until
          from runs r where r.holder = r.worker
         group by r.job, r.ticket, r.kind, r.key, r.queue, r.lease) h
     where until > began;
