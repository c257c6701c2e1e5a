-- Bounds: the highest number of live jobs in a queue, counted from the moment at which it got its bound. The
-- code says one (`queues.bound`), and an operator may set another.

-- Makes the room of a queue fit its bound. A bound below the number of jobs that occupy places is refused.
create or replace function pgjobq.fit_room(p_queue int) returns void language plpgsql
    set search_path = pg_catalog, pg_temp as $$
declare
    q pgjobq.queues;
    v_bound int;
    v_more int;
    v_got int;
begin
    select * into q from pgjobq.queues where id = p_queue;
    v_bound := pgjobq.bound_of(q);
    if q.is_bounded = (v_bound is not null) and (v_bound is null or v_bound = q.capacity) then
        return;     -- An unchanged start writes nothing.
    end if;
    -- One after the other; and the next statements see what the one before has done.
    select * into q from pgjobq.queues where id = p_queue for update;
    v_bound := pgjobq.bound_of(q);
    if v_bound is null then
        update pgjobq.queues set is_bounded = false where id = p_queue;
        return;
    elsif (select shards from pgjobq.settings) > 1 then
        raise exception 'queue % cannot have a bound: the database has several shards', quote_literal(q.name)
            using errcode = 'feature_not_supported',
                hint = 'Its jobs lie in all of them, and no transaction counts them together.';
    end if;
    update pgjobq.queues set is_bounded = true, capacity = v_bound where id = p_queue;
    v_more := v_bound - coalesce(q.capacity, 0);
    if v_more > 0 then
        if pgjobq.add_places(0::smallint, p_queue, v_more) then
            perform pg_notify(pgjobq.channel(), 'room ' || p_queue);
        end if;
    elsif v_more < 0 then
        v_got := pgjobq.take_room(p_queue, -v_more, false);
        if v_got < -v_more then
            raise exception 'queue % holds % jobs, or they are about to be enqueued: more than a bound of %',
                quote_literal(q.name), v_bound - v_more - v_got, v_bound
                using errcode = 'PJ004', detail = (v_bound - v_more - v_got)::text,
                    hint = 'Write at least as many, or try again when jobs have ended.';
        end if;
    end if;
end $$;

comment on function pgjobq.fit_room is 'Internal. Makes the room of a queue fit its bound.';

-- The bound of a queue: an operator's, or else the code's. Null if it has none.
create or replace function pgjobq.bound_of(q pgjobq.queues) returns int language plpgsql immutable as $$
begin
    return coalesce((q.overrides -> 'bound' ->> 'value')::int, q.bound);
end $$;

comment on function pgjobq.bound_of is 'Internal. The bound of a queue.';

-- What an enqueue does when the queue is full: what an operator has set, or else the code.
create or replace function pgjobq.when_full_of(q pgjobq.queues) returns text language plpgsql immutable as $$
begin
    return coalesce(q.overrides -> 'when_full' ->> 'value', q.when_full);
end $$;

comment on function pgjobq.when_full_of is 'Internal. What an enqueue does when the queue is full.';

-- Sets what the code says of a queue's bound: 0 removes it, and null leaves it as it is. `p_when_full` is
-- what an enqueue does when the queue is full: `wait` for room, `reject`, `drop_oldest` or `drop_new`.
create or replace function pgjobq.save_bound(p_queue int, p_bound int, p_when_full text) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    update pgjobq.queues q
       set bound = case when p_bound is null then q.bound else nullif(p_bound, 0) end,
           when_full = coalesce(p_when_full, q.when_full)
     where q.id = p_queue
       and (p_bound is not null and q.bound is distinct from nullif(p_bound, 0)
            or p_when_full is not null and q.when_full <> p_when_full);
    perform pgjobq.fit_room(p_queue);
end $$;

comment on function pgjobq.save_bound is 'Internal. Sets what the code says of a queue''s bound.';

-- Counts the places of a queue anew, and returns how many were missing (below 0: too many). Places go with
-- rows of `jobs` that a person deletes by hand. It reads all jobs, and is exact beside any others' work: one
-- snapshot has both what is free and what is occupied.
create or replace function pgjobq.recount_room(queue text) returns int language plpgsql
    set search_path = pg_catalog, pg_temp as $$
declare
    q pgjobq.queues;
    v_missing int;
begin
    select * into q from pgjobq.queues where name = recount_room.queue and deleted_at is null for update;
    if q.capacity is null then
        return 0;
    end if;
    select q.capacity
           - (select coalesce(sum(places), 0) from pgjobq.room where shard = 0 and queue_id = q.id)
           - (select count(*) from pgjobq.jobs where shard = 0 and queue_id = q.id and limits & 8 > 0)
      into v_missing;
    if v_missing > 0 then
        perform pgjobq.add_places(0::smallint, q.id, v_missing);
    elsif v_missing < 0 then
        v_missing := -pgjobq.take_room(q.id, -v_missing, false);
    end if;
    return v_missing;
end $$;

comment on function pgjobq.recount_room is
    'Public. Counts the room of a queue anew, after rows of jobs were deleted by hand.';

-- The free places of a queue. Those that an open transaction has taken or is giving back change the number
-- when it commits. Null if the queue has no bound, or does not exist.
create or replace function pgjobq.room(queue text) returns int language plpgsql stable
    set search_path = pg_catalog, pg_temp as $$
declare
    v_queue int := (select id from pgjobq.queues
                     where name = room.queue and deleted_at is null and is_bounded);
begin
    return case when v_queue is not null then pgjobq.free_places(v_queue, 2147483647) end;
end $$;

comment on function pgjobq.room is
    'Public. How many jobs a bounded queue has room for. Null if it has no bound.';

-- Cancels the jobs of a full queue that have waited in line for the longest time: as many as `p_most` new
-- jobs lack places. Returns them; null if there are places now, or the queue does not drop jobs any more. It
-- looks at the first ten thousand jobs of each priority. The lane stays locked until the transaction ends, so
-- the function rejects one that was open before.
create or replace function pgjobq.drop_oldest(p_queue int, p_most int) returns uuid[]
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_jobs uuid[];
begin
    perform pgjobq.reject_open_transaction();
    -- Places that another transaction holds are no places.
    p_most := p_most - (select h.total from pgjobq.hold_chunks(p_queue, p_most) h);
    if p_most <= 0 or not exists (select from pgjobq.queues
                                   where id = p_queue and is_bounded
                                     and pgjobq.when_full_of(queues) = 'drop_oldest') then
        return null;
    end if;
    v_jobs := array(
        select j.id
          from generate_series(0, 3) p(priority),
               lateral (select pgjobq.leased_tickets(0::smallint, p_queue, p.priority, 0) as leased
                        offset 0) l,
               lateral (select r.id, r.ticket
                          from pgjobq.ready_line(0::smallint, p_queue, p.priority, 0, 10000) r,
                               lateral pgjobq.job_row(0::smallint, r.id) o
                         where (l.leased is null or not l.leased @> r.ticket) and o.limits & 8 > 0
                         limit p_most) j
         order by j.ticket limit p_most);
    select t.waiting into v_jobs from pgjobq.take_waiting(0::smallint, v_jobs) t;
    if cardinality(v_jobs) > 0 then
        perform pgjobq.end_waiting(0::smallint, v_jobs, 'cancel', 'pgjobq',
                                   'newer jobs came, and the queue was full');
    end if;
    return coalesce(v_jobs, '{}');
end $$;

comment on function pgjobq.drop_oldest is 'Internal. Cancels the oldest waiting jobs of a full queue.';

revoke execute on function pgjobq.drop_oldest from public;
