-- The stage of bounded queues for the runner, and what must hold after each order. It is the stage of `bench.sql`, in a queue
-- whose bound leaves room for two more jobs. Jobs 1 to 6 are live, and each has its place.

create function races.reset_bounds() returns void language plpgsql as $$
declare
    v_queue int := (select id from pgjobq.queues where name = 'default');
begin
    perform races.reset(false, '{}', '{}');
    perform pgjobq.create_queue('other');
    delete from pgjobq.room;
    update pgjobq.jobs set limits = 8;
    update pgjobq.queues set bound = 8, is_bounded = true, capacity = 8, when_full = 'wait' where id = v_queue;
    insert into pgjobq.room (shard, queue_id, id, places) values (0, v_queue, 10, 1), (0, v_queue, 20, 1);
end $$;

-- Sets the bound, if it can be set now.
create function races.set_bound(p_bound int) returns jsonb language plpgsql as $$
begin
    perform pgjobq.save_bound(id, p_bound, null) from pgjobq.queues where name = 'default';
    return 'true';
end $$;

-- Moves a waiting job to a queue without a bound.
create function races.move() returns jsonb language plpgsql as $$
begin
    return (select to_jsonb(c) from pgjobq.change_waiting(
        0::smallint, array[races.id(3)], null, (select id from pgjobq.queues where name = 'other'), null) c);
end $$;

create function races.bound_violations() returns text[] language plpgsql as $$
begin
    return array(
        select format('%s free places and %s occupied ones are not %s', c.free, c.occupied, q.capacity)
          from pgjobq.queues q,
               lateral (select coalesce((select sum(places) from pgjobq.room where queue_id = q.id), 0) as free,
                               (select count(*) from pgjobq.jobs where queue_id = q.id and limits & 8 > 0) as occupied) c
         where q.name = 'default' and c.free + c.occupied <> q.capacity
        union all
        select format('%s jobs are above the bound of %s', c.jobs, q.capacity)
          from pgjobq.queues q, lateral (select count(*) as jobs from pgjobq.jobs where queue_id = q.id) c
         where q.name = 'default' and c.jobs > q.capacity
        union all
        select format('job %s has no place', races.number(j.id))
          from pgjobq.jobs j join pgjobq.queues q on q.id = j.queue_id
         where (coalesce(j.limits, 0) & 8 > 0) <> (q.name = 'default'));
end $$;

-- After what `races.drain` does, every place is free.
create function races.bound_stranded() returns text[] language plpgsql as $$
declare
    d jsonb := races.drain();
begin
    if d->'live' <> d->'claimed' or d->'jobs' <> '0' then
        return array['something is stranded: ' || d::text];
    end if;
    return races.bound_violations();
end $$;
