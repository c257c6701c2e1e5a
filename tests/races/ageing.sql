-- The stage of ageing for the runner, and what must hold after two operations. It is the stage of `bench.sql`, at priority 1: the jobs
-- in line have waited for longer than the age of their queue, and for less than twice as long. The dead job 9 is at priority 3.

create function races.reset_ageing() returns void language plpgsql as $$
begin
    perform races.reset(false, '{}', '{}');
    update pgjobq.jobs set priority = 1;
    update pgjobq.leases set priority = 1;
    update pgjobq.queues set ageing = interval '1 hour' where name = 'default';
    delete from pgjobq.ageing;
    insert into pgjobq.ageing (shard, queue_id, times, tickets)
    select 0, id, array[now() - interval '90 minutes'], '{50}' from pgjobq.queues where name = 'default';
end $$;

-- What a worker does for a lane.
create function races.age() returns jsonb language plpgsql as $$
begin
    return to_jsonb(pgjobq.age_jobs(0::smallint, id, 100)) from pgjobq.queues where name = 'default';
end $$;

-- What is wrong after two operations.
create function races.ageing_violations() returns text[] language plpgsql as $$
begin
    return array(
        select format('job %s has moved up twice', races.number(id))
          from pgjobq.jobs where priority > 2 and ticket <= 50
        union all
        -- A job that runs is at the priority of its lease.
        select format('job %s runs, and its lease %s is at another priority', races.number(j.id), l.id)
          from pgjobq.jobs j join pgjobq.leases l on l.tickets @> j.ticket where l.priority <> j.priority
        union all
        select format('job %s has two leases', races.number(j.id))
          from pgjobq.jobs j join pgjobq.leases l on l.tickets @> j.ticket group by j.id having count(*) > 1);
end $$;

-- After what `races.drain` does, every live job has run once more, and no row is left.
create function races.ageing_stranded() returns text[] language plpgsql as $$
declare
    d jsonb := races.drain();
begin
    return case when d->'live' <> d->'claimed'
                     or exists (select from jsonb_each(d) where key in ('unmet', 'stale', 'jobs', 'leases', 'failures', 'cancels')
                                                            and value <> '0')
                then array['something is stranded: ' || d::text] end;
end $$;
