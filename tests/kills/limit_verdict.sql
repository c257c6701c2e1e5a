-- The verdict on limits, from the books. Times that overlap are found by the moment at which the later one begins.

-- The times at which jobs were running: from the claim until the job lost its ticket or its row. A job of a worker that does not
-- answer is running until others have taken its lease back.
create table running as
    select l.job, l.ticket, f.kind, f.key, (f.args->>'n')::int as n, c.at as began, l.at as until,
           (select max(p.given) from permits p where p.job = l.job and p.given < c.at) as given
      from tickets_lost l
      join (select c.at, ticket from claims c, unnest(c.tickets) r,
                   generate_series(lower(r), upper(r) - 1) ticket) c using (ticket)
      join pgjobq.finished f on f.id = l.job;
create index on running (kind, key, began);
create index on running (job, ticket);
create index on permits (kind, key, given);

create table handlers as
    select f.kind, f.key, l.began, l.ended from ledger l join pgjobq.finished f on f.id = l.job;
create index on handlers (kind, key, began);
analyze running, permits, handlers, ledger;

-- The limit of a kind when a permit was given: while a change settles, the old number or the new one.
create function most_at(p_kind text, p_at bigint) returns int language sql stable as $$
    select max(most) from limits_set s
     where kind = p_kind and at <= p_at
       and not exists (select from limits_set later where later.kind = p_kind and later.at > s.at and later.settled < p_at)
$$;

create table instants as
    select 'running' as what, r.most, (select count(*) from running o
             where o.kind = r.kind and o.key = r.key and o.began <= r.began and o.until > r.began) as there
      from (select *, most_at(kind, given) as most from running) r
    union all
    select 'permits', r.most, (select count(*) from permits o
             where o.kind = r.kind and o.key = r.key and o.given <= r.given and (o.freed > r.given) is not false)
      from (select *, most_at(kind, given) as most from permits) r;

-- Handlers that ran while their job was not running: they began without a lease, went on after it, or did not end and were not
-- killed. Only those of a worker that was given up may, because it had been silent for its lease.
create table strays as
    select l.run, l.process::text as process, r.kind, r.key, l.began, l.ended,
           exists (select from given_up g
                    where g.process = l.process::text and g.silence >= lease
                      and g.at between coalesce(r.began, 0) and coalesce(r.until, l.began)) as was_given_up,
           coalesce((select min(t.what) from troubles t
                      where t.process = l.process::text and t.at < coalesce(r.until, l.began)), 'starved') as trouble
      from (select '2 seconds'::interval as lease) one, ledger l left join running r on r.job = l.job and r.ticket = l.ticket
     where (r.job is null or l.began > r.until or l.ended > r.until or l.ended is null)
       and not exists (select from troubles t where t.process = l.process::text and t.what = 'killed' and l.ended is null);
