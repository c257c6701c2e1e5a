-- Room: the free places of bounded queues, in chunks. A job of a bounded queue takes a place in the
-- transaction that inserts it, and gives it back in the one that deletes its row. So the places in `room` and
-- the jobs that occupy one (bit 8 of `jobs.limits`) are always `queues.capacity` together, whatever commits
-- or is rolled back, and in whatever order.
--
-- Nobody waits for a chunk: who takes places skips the chunks that other sessions hold, and who gives places
-- back inserts a chunk. So the places that an open transaction has taken, and what is left of their last
-- chunk, count as taken until it ends.

-- Takes places of a queue, and returns their number: at most `p_want`, and with `p_all` either all or none.
-- What it takes is deleted; of the last chunk, a part may be left.
create or replace function pgjobq.take_room(p_queue int, p_want int, p_all boolean) returns int
language plpgsql as $$
declare
    v_held record;
    v_got int := 0;
    v_taken int := 0;   -- chunks
begin
    -- A transaction that does not get all of them should hold no chunk until it ends.
    if p_want = 0 or p_all and p_want > 1 and pgjobq.free_places(p_queue, p_want) < p_want then
        return 0;
    end if;
    v_held := pgjobq.hold_chunks(p_queue, p_want);
    -- step: chunks held
    if v_held.ids is null or p_all and v_held.total < p_want then
        return 0;
    end if;
    while v_got < least(p_want, v_held.total) loop
        v_taken := v_taken + 1;
        v_got := v_got + v_held.places[v_taken];
        if v_got > p_want then
            update pgjobq.room set places = v_got - p_want
             where shard = 0 and queue_id = p_queue and id = v_held.ids[v_taken];
        else
            delete from pgjobq.room
             where shard = 0 and queue_id = p_queue and id = v_held.ids[v_taken];
        end if;
    end loop;
    return least(v_got, p_want);
end $$;

comment on function pgjobq.take_room is 'Internal. Takes places of a bounded queue.';

-- Takes a place for one job; false if there is none, or if others wait in line before it. It does what
-- `take_room` does, and what `has_room_line` asks, but almost always with two statements: single enqueues are
-- many, and the fixed cost of a statement is most of the cost.
create or replace function pgjobq.seat_job(p_queue int, p_turn boolean) returns boolean
language plpgsql as $$
declare
    v_from bigint := random() * 9007199254740991;
    v_id bigint;
    v_places int;
begin
    select id, places into v_id, v_places from pgjobq.room
     where shard = 0 and queue_id = p_queue and id >= v_from
       and current_setting('transaction_isolation') = 'read committed'
       and (p_turn or not exists (select from pgjobq.room_waiters
                                   where shard = 0 and queue_id = p_queue and until > clock_timestamp()
                                     and until <= clock_timestamp() + interval '3 seconds'))
     order by id limit 1 for update skip locked;
    if v_places > 1 then
        update pgjobq.room set places = v_places - 1 where shard = 0 and queue_id = p_queue and id = v_id;
        return true;
    elsif v_places = 1 then
        delete from pgjobq.room where shard = 0 and queue_id = p_queue and id = v_id;
        return true;
    end if;
    return (p_turn or not pgjobq.has_room_line(p_queue)) and pgjobq.take_room(p_queue, 1, true) = 1;
end $$;

comment on function pgjobq.seat_job is 'Internal. Takes a place for one job.';

-- Locks chunks with at least `p_want` places, or all that no other session holds. It begins at a random chunk
-- and goes on from the first one: so producers rarely meet, and a look does not pass the index entries of all
-- chunks that were used up.
create or replace function pgjobq.hold_chunks(
    p_queue int, p_want int, out ids bigint[], out places int[], out total int)
language plpgsql as $$
declare
    v_start constant bigint := pgjobq.chunk_id();
    v_after bigint := v_start;
    v_upto bigint := 9223372036854775807;
    v_few int := greatest(p_want / 64, 1);
    v_more record;
begin
    total := 0;
    if current_setting('transaction_isolation') <> 'read committed' then
        select h.ids, h.places, h.total into ids, places, total
          from pgjobq.hold_old_chunks(p_queue, p_want, v_start) h;
        return;
    end if;
    loop
        select array_agg(c.id) as ids, array_agg(c.places) as places, sum(c.places) as total,
               max(c.id) as last, count(*) as count
          into v_more
          from (select r.id, r.places from pgjobq.room r
                 where r.shard = 0 and r.queue_id = p_queue and r.id > v_after and r.id <= v_upto
                 order by r.id limit v_few for update skip locked) c;
        if v_more.count > 0 then
            ids := ids || v_more.ids;
            places := places || v_more.places;
            total := total + v_more.total;
        end if;
        exit when total >= p_want or v_more.count < v_few and v_upto = v_start;
        if v_more.count < v_few then
            v_after := -1;
            v_upto := v_start;
        else
            v_after := v_more.last;
        end if;
        -- As many as are needed if the next ones are like those before.
        v_few := case when total = 0 then v_few
                      else least(ceil((p_want - total) * cardinality(ids)::float8 / total), 1000) end;
    end loop;
end $$;

comment on function pgjobq.hold_chunks is 'Internal. Locks chunks of places.';

-- The same with an older snapshot, in a caller's transaction: chunks that were changed since cannot be
-- locked, and are skipped. It tries at most two hundred, or twice as many as are needed.
create or replace function pgjobq.hold_old_chunks(
    p_queue int, p_want int, p_start bigint, out ids bigint[], out places int[], out total int)
language plpgsql as $$
declare
    v_id bigint;
    v_places int;
begin
    total := 0;
    for v_id in
        select r.id from pgjobq.room r where r.shard = 0 and r.queue_id = p_queue
         order by r.id <= p_start, r.id limit greatest(200, p_want / 32)
    loop
        begin
            select r.places into v_places from pgjobq.room r
             where r.shard = 0 and r.queue_id = p_queue and r.id = v_id for update skip locked;
            if found then
                ids := ids || v_id;
                places := places || v_places;
                total := total + v_places;
            end if;
        exception when serialization_failure then
            null;
        end;
        exit when total >= p_want;
    end loop;
end $$;

comment on function pgjobq.hold_old_chunks is 'Internal. Locks chunks of places that an old snapshot shows.';

-- Gives places back: one of each of these queues, which may be there several times. Returns the queues of
-- which somebody waits for room, or null; with `p_notify`, notifies them when the transaction commits.
create or replace function pgjobq.give_room(p_shard smallint, p_queues int[], p_notify boolean)
returns int[] language plpgsql as $$
declare
    v_waiting int[];
begin
    select array_agg(q.queue_id) filter (where pgjobq.add_places(p_shard, q.queue_id, q.places))
      into v_waiting
      from (select queue_id, count(*)::int as places from unnest(p_queues) u(queue_id) group by queue_id) q;
    if p_notify and v_waiting is not null then
        perform pg_notify(pgjobq.channel(), 'room ' || array_to_string(v_waiting, ','));
    end if;
    return v_waiting;
end $$;

comment on function pgjobq.give_room is 'Internal. Gives places of bounded queues back.';

-- Inserts chunks with this many places. True if somebody waits for room in the queue.
create or replace function pgjobq.add_places(p_shard smallint, p_queue int, p_places int) returns boolean
language plpgsql as $$
begin
    insert into pgjobq.room (shard, queue_id, id, places)
    select p_shard, p_queue, pgjobq.chunk_id(), least(s.size, p_places - given)
      from (select pgjobq.chunk_size(p_queue) as size offset 0) s,
           generate_series(0, p_places - 1, s.size) given;
    return pgjobq.has_room_line(p_queue);
end $$;

comment on function pgjobq.add_places is 'Internal. Adds free places to a bounded queue.';

-- An id for a chunk: random, so that the ids of used-up chunks are spread over the index.
create or replace function pgjobq.chunk_id() returns bigint language plpgsql volatile as $$
begin
    return floor(random() * 9007199254740992)::bigint;
end $$;

comment on function pgjobq.chunk_id is 'Internal. A random id for a chunk of places.';

-- How many places a new chunk of a queue has: so few that there are at least 64 chunks, and at most 64.
create or replace function pgjobq.chunk_size(p_queue int) returns int language plpgsql stable as $$
begin
    return (select greatest(least(capacity / 64, 64), 1) from pgjobq.queues where id = p_queue);
end $$;

comment on function pgjobq.chunk_size is 'Internal. How many places a new chunk of a queue has.';

-- The free places of a queue that this snapshot shows, counted up to `p_most`.
create or replace function pgjobq.free_places(p_queue int, p_most int) returns int
language plpgsql stable as $$
begin
    return least(p_most, (
        select coalesce(sum(places), 0)
          from (select places from pgjobq.room where shard = 0 and queue_id = p_queue limit p_most) c));
end $$;

comment on function pgjobq.free_places is 'Internal. Counts the free places of a bounded queue.';

-- Folds small chunks into whole ones, for each queue that has many of them: half of them, and at most a
-- thousand of a queue. The others can be taken meanwhile.
create or replace function pgjobq.fold_room(p_shard smallint) returns void language plpgsql as $$
declare
    c_few constant int := 32;
    q record;
    v_small int;
    v_places int;
begin
    for q in
        select queues.id, pgjobq.chunk_size(queues.id) as size from pgjobq.queues where capacity is not null
    loop
        v_small := (select count(*) from (
            select from pgjobq.room where shard = p_shard and queue_id = q.id and places < q.size
             limit 2000) c);
        continue when v_small <= c_few;
        with looked as materialized (     -- Once: a join might look again and again, each time for others.
            select id from pgjobq.room
             where shard = p_shard and queue_id = q.id and places < q.size
             order by id limit least(v_small / 2, 1000) for update skip locked),
        small as (
            delete from pgjobq.room r using looked s
             where r.shard = p_shard and r.queue_id = q.id and r.id = s.id
            returning r.places)
        select sum(places) into v_places from small;
        perform pgjobq.add_places(p_shard, q.id, v_places) where v_places > 0;
    end loop;
end $$;

comment on function pgjobq.fold_room is 'Internal. Folds small chunks of places.';
