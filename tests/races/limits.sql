-- The stage of limits for the runner, and what must hold after two operations. It is the stage of `bench.sql`, with a limit of
-- two for the kind of all jobs. Of these, 1 and 2 run with permits, 3 and 4 wait for one, 5 is quarantined and was enqueued before
-- the limit, 6 is due and has none, and 9 is dead.

-- The highest limit that was in force.
create table races.highest (n int);

create function races.reset_limits(p_limit int default 2) returns void language plpgsql as $$
begin
    perform races.reset(false, '{}', '{}');
    delete from pgjobq.limits;
    delete from races.highest;
    insert into races.highest values (p_limit);
    insert into pgjobq.limits (scope, name, concurrency) values ('kind', 'kind', p_limit);
    perform pgjobq.note_limits();
    update pgjobq.jobs
       set limits = 1, arrival = races.number(id),
           permit = case when races.number(id) <= 2 then races.number(id) end,
           ticket = case when races.number(id) <= 2 then ticket end
     where races.number(id) <> 5;
end $$;

-- What a worker does once something has committed that may let a job in.
create function races.admit() returns jsonb language plpgsql as $$
begin
    return to_jsonb(pgjobq.admit(0::smallint, '{kind}', '{""}', null));
end $$;

create function races.change_limit(p_concurrency int) returns jsonb language plpgsql as $$
begin
    update pgjobq.limits set concurrency = p_concurrency;
    update races.highest set n = greatest(n, p_concurrency);
    perform pgjobq.note_limits();
    return to_jsonb(p_concurrency);
end $$;

-- What is wrong after two operations, each of which has admitted what it could.
create function races.limit_violations() returns text[] language plpgsql as $$
declare
    v_limit int := (select concurrency from pgjobq.limits);
    v_taken int := (select count(*) from pgjobq.jobs where permit is not null);
    v_waiting int[] := array(select races.number(id) from pgjobq.jobs
                              where limits = 1 and permit is null and ticket is null and run_at is null
                              order by arrival);
begin
    return array(
        -- A limit that was lowered drains by itself: the jobs that have permits from before stay, and none comes in.
        select format('%s permits are taken of %s', v_taken, v_limit)
         where v_taken > (select n from races.highest)
           and exists (select from pgjobq.jobs where permit is not null and races.number(id) > 2)
        union all
        select format('%s of %s permits are taken, and jobs wait: %s', v_taken, v_limit, v_waiting)
         where v_taken < v_limit and v_waiting <> '{}'
        union all
        select 'job 4 has overtaken job 3'
         where 3 = any (v_waiting) and 4 <> all (v_waiting)
        union all
        select format('job %s has %s rows', n, rows)
          from (select n, (select count(*) from pgjobq.jobs where id = races.id(n))
                          + (select count(*) from pgjobq.finished where id = races.id(n)) as rows
                  from unnest('{3,4,5,6,9}'::int[]) n) r
         where rows <> 1
        union all
        select format('ticket %s of lease %s is nobody''s', t, l.id)
          from pgjobq.leases l, unnest(l.tickets) r, generate_series(lower(r), upper(r) - 1) t
         where l.id <> 11 and not exists (select from pgjobq.jobs j where j.ticket = t));
end $$;

-- Once all that may start has run, and again and again what is let in then, nothing is left.
create function races.limits_stranded() returns text[] language plpgsql as $$
declare
    d jsonb;
begin
    for round in 1..12 loop
        delete from pgjobq.workers where id = 99;
        perform races.admit();
        d := races.drain();
        exit when d->'jobs' = '0';
    end loop;
    return case when exists (select from jsonb_each(d) where key in ('unmet', 'paused', 'stale', 'jobs', 'leases', 'failures', 'cancels')
                                                         and value <> '0')
                then array['something is stranded: ' || d::text] end;
end $$;
