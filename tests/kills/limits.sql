-- The books about limits, kept by triggers: when jobs had permits and tickets, what claims took, when handlers ran, and which
-- workers were given up.
--
-- A moment is a number of one sequence. Each is drawn inside of the transaction that it stands for. Whatever follows the commit of
-- that transaction has a higher number. So a time between two moments is never longer than the true one, and no clock is read.

create sequence moments;

-- The numbers of a limit: each holds from its moment on, and after `settled` no admission reads the one before any more.
create table limits_set (
    kind text not null, most int not null, at bigint not null default nextval('moments'), settled bigint);

create table permits (
    job uuid not null, kind text not null, key text not null,
    given bigint not null default nextval('public.moments'), freed bigint);
create index permits_by_job on permits (job);

create function note_permit() returns trigger language plpgsql as $$
begin
    if old.permit is not null then
        update public.permits set freed = nextval('public.moments') where job = old.id and freed is null;
    end if;
    if tg_op = 'UPDATE' and new.permit is not null then
        insert into public.permits (job, kind, key) values (new.id, new.kind, new.key);
    end if;
    return null;
end $$;

-- PostgreSQL fires triggers in the order of their names: a ticket is lost before the permit.
create trigger permit_changed after update of permit on pgjobq.jobs for each row
    when (old.permit is distinct from new.permit) execute function note_permit();
create trigger permit_ended after delete on pgjobq.jobs for each row
    when (old.permit is not null) execute function note_permit();

create table tickets_lost (job uuid not null, ticket bigint not null, at bigint not null default nextval('public.moments'));

create function note_ticket() returns trigger language plpgsql as $$
begin
    insert into public.tickets_lost (job, ticket) values (old.id, old.ticket);
    return null;
end $$;

create trigger lost_ticket after update of ticket on pgjobq.jobs for each row
    when (old.ticket is not null and old.ticket is distinct from new.ticket) execute function note_ticket();
create trigger lost_with_row after delete on pgjobq.jobs for each row
    when (old.ticket is not null) execute function note_ticket();

create table claims (tickets int8multirange not null, at bigint not null default nextval('public.moments'));

create function note_claim() returns trigger language plpgsql as $$
begin
    insert into public.claims (tickets) values (new.tickets);
    return null;
end $$;

create trigger claimed after insert on pgjobq.leases for each row execute function note_claim();

-- The workers that others have given up, and how long each had been silent then.
create table given_up (
    process text not null, silence interval not null, at bigint not null default nextval('public.moments'));

create function note_loss() returns trigger language plpgsql as $$
begin
    insert into public.given_up (process, silence) values (old.name, clock_timestamp() - old.seen_at);
    return null;
end $$;

create trigger given_up after delete on pgjobq.workers for each row execute function note_loss();

-- What the test did to processes.
create table troubles (
    process text not null, what text not null, at bigint not null default nextval('moments'));

-- Handlers note in the ledger when they begin and end, on connections of their own. A handler begins after its claim, and
-- ends before its result is sent.
alter table ledger add began bigint not null default nextval('moments'), add ended bigint, add ticket bigint;

create function note_run() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' then
        select j.ticket into new.ticket
          from pgjobq.jobs j join pgjobq.leases l on l.queue_id = j.queue_id and l.priority = j.priority and l.tickets @> j.ticket
          join pgjobq.workers w on w.id = l.worker and w.name = new.process::text
         where j.shard = 0 and j.id = new.job;
    else
        new.ended := nextval('public.moments');
    end if;
    return new;
end $$;

create trigger runs before insert or update of ended_at on ledger for each row execute function note_run();
