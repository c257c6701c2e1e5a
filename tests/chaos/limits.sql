-- The books about limits: what they were when, and when permits were given, jobs came, and claims counted starts.

-- The limits, each with the moments at which it came, and after which no admission reads the one before any more.
create table limits_set (
    scope text not null,
    name text not null,
    per_key boolean not null,
    most int not null,
    at bigint not null default nextval('moments'),
    transaction bigint not null default pg_current_xact_id()::text::bigint,
    settled bigint
);

-- Each permit that a job has got.
create table permits_given (
    job uuid not null,
    scope text not null,
    at bigint not null default nextval('public.moments')
);
create index permits_given_by_job on permits_given (job);

create function note_permit() returns trigger language plpgsql as $$
begin
    insert into public.permits_given (job, scope)
    select new.id, 'kind' where old.permit is null and new.permit is not null
    union all
    select new.id, 'queue' where old.queue_permit is null and new.queue_permit is not null;
    return null;
end $$;

create trigger note_permit after update of permit, queue_permit on pgjobq.jobs for each row
    when (new.limits is not null) execute function note_permit();

-- The jobs that ran at a time under each limit, whenever one more began, and the most that the limit allowed since the job
-- that began got its permit. (A lowered limit drains: jobs that have their permits may still begin.)
create view under_limits as
    with changes as (
        select l.job, l.scope, l.name, l.per_key, l.at, l.step,
               sum(l.step) over (partition by l.scope, l.name, l.limited_key order by l.at) as running
          from (select h.job, s.*, case when s.per_key then h.key else '' end as limited_key, c.at, c.step
                  from (select distinct scope, name, per_key from limits_set) s
                  join held h on s.name = case s.scope when 'kind' then h.kind else h.queue end,
                       lateral (values (h.began, 1), (h.until, -1)) c(at, step)) l)
    select c.scope, c.name, c.running, a.most
      from changes c,
           lateral (select max(g.at) as given from permits_given g
                     where g.job = c.job and g.scope = c.scope and g.at < c.at) g,
           lateral (select max(s.most) as most from limits_set s
                     where s.scope = c.scope and s.name = c.name and s.at <= c.at
                       and not exists (select from limits_set later
                                        where later.scope = s.scope and later.name = s.name and later.at > s.at
                                          and later.settled < coalesce(g.given, c.at))) a
     where c.step = 1;

-- Each job with a unique key, from its insert on.
create table unique_jobs (
    job uuid not null,
    kind text not null,
    unique_key text not null,
    created_at timestamptz not null,
    clock timestamptz not null default clock_timestamp(),
    at bigint not null default nextval('public.moments')
);

create function note_unique() returns trigger language plpgsql as $$
begin
    insert into public.unique_jobs (job, kind, unique_key, created_at)
    values (new.id, new.kind, new.unique_key, new.created_at);
    return null;
end $$;

create trigger note_unique after insert on pgjobq.jobs for each row
    when (new.unique_key is not null) execute function note_unique();

-- Each claim, and two times of the server's clock: it counted its starts between them.
create table claims (
    lease bigint not null,
    tickets int8multirange not null,
    began timestamptz not null default statement_timestamp(),
    counted timestamptz not null default clock_timestamp(),
    at bigint not null default nextval('public.moments')
);
create index claims_by_lease on claims (lease);

create function note_claim() returns trigger language plpgsql as $$
begin
    insert into public.claims (lease, tickets) values (new.id, new.tickets);
    return null;
end $$;

create trigger note_claim after insert on pgjobq.leases for each row execute function note_claim();

-- The clock steps between two of these moments, of which the first is the first of a pair.
create table clock_steps (
    at bigint not null default nextval('moments')
);

-- The starts of jobs under each rate, with their weights. The clock did not step between those of one segment. An odd segment is
-- one in which it does.
create view starts as
    select r.rate, r.key, coalesce((f.args ->> 'load')::int, 1) as weight, c.began, c.counted,
           (select count(*) from clock_steps s where s.at < c.at) as segment
      from held h join claims c on c.lease = h.lease and c.tickets @> h.ticket join pgjobq.finished f on f.id = h.job,
           lateral (values ('kind ' || h.kind, h.key), ('queue ' || h.queue, '')) r(rate, key)
     where h.kind in ('paced', 'tolled');
