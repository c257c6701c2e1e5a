-- The rows of workers: they register, leave, and are given up by others. There is no leader, because each
-- step is a compare-and-set.

-- Registers a worker. `p_lease` is how long it may be silent before others take its jobs. `p_queues` are the
-- queues that it serves, with `p_slots` slots, `p_kinds` the kinds that it can run, and `p_filter` the jobs
-- that it accepts, compiled to `p_filter_path`: for people. `p_schedules` are the digests of the schedules
-- that its code declares, which others then follow.
create or replace function pgjobq.register_worker(p_shard smallint, p_worker bigint, p_name text,
                                                  p_lease interval default '30 seconds',
                                                  p_queues text[] default '{}', p_kinds text[] default '{}',
                                                  p_slots int[] default '{}', p_filter text default null,
                                                  p_filter_path jsonpath default null,
                                                  p_schedules text[] default '{}')
returns void language plpgsql as $$
begin
    insert into pgjobq.workers (shard, id, name, lease, queues, kinds, slots, filter, filter_path, schedules)
    values (p_shard, p_worker, p_name, p_lease, p_queues, p_kinds, p_slots, p_filter, p_filter_path,
            p_schedules);
    if p_schedules <> '{}' then perform pg_notify(pgjobq.channel(), 'queues changed'); end if;
end $$;

comment on function pgjobq.register_worker is 'Internal. Registers a worker.';

-- Records in which queues a worker waits to be notified.
create or replace function pgjobq.set_idle(p_shard smallint, p_worker bigint, p_queues int[])
returns void language plpgsql as $$
begin
    update pgjobq.workers set idle = p_queues where shard = p_shard and id = p_worker and idle <> p_queues;
end $$;

comment on function pgjobq.set_idle is 'Internal. Records in which queues a worker waits to be notified.';

-- Records how many slots a worker has in each of its queues, after an operator has changed a limit.
create or replace function pgjobq.set_slots(p_shard smallint, p_worker bigint, p_slots int[])
returns void language plpgsql as $$
begin
    update pgjobq.workers set slots = p_slots where shard = p_shard and id = p_worker and slots <> p_slots;
end $$;

comment on function pgjobq.set_slots is 'Internal. Records how many slots a worker has in its queues.';

-- Deletes the row of a worker that holds nothing.
create or replace function pgjobq.leave(p_shard smallint, p_worker bigint) returns void language plpgsql as $$
declare
    v_schedules text[];
begin
    delete from pgjobq.workers where shard = p_shard and id = p_worker returning schedules into v_schedules;
    if v_schedules <> '{}' then perform pg_notify(pgjobq.channel(), 'queues changed'); end if;
end $$;

comment on function pgjobq.leave is 'Internal. Deletes the row of a worker that holds nothing.';

-- Deletes the rows of workers whose number of heartbeats is still the one that another worker has seen for
-- too long. A worker that is in a claim just now is left for the next time. Returns how many were given up.
create or replace function pgjobq.give_up_workers(p_shard smallint, p_workers bigint[], p_beats bigint[])
returns int language plpgsql as $$
declare
    v_count int;
    v_declared boolean;
begin
    with silent as materialized (
        select w.id from unnest(p_workers, p_beats) s(id, beats)
          join pgjobq.workers w on w.shard = p_shard and w.id = s.id and w.beats = s.beats
         order by w.id for update of w skip locked),
    given_up as (
        delete from pgjobq.workers w using silent s where w.shard = p_shard and w.id = s.id
        returning w.schedules)
    select count(*), bool_or(schedules <> '{}') into v_count, v_declared from given_up;
    if v_declared then perform pg_notify(pgjobq.channel(), 'queues changed'); end if;
    return v_count;
end $$;

comment on function pgjobq.give_up_workers is 'Internal. Deletes the rows of silent workers.';
