-- The line of those who wait for room in a full queue. A row of `room_waiters` is a place in it. It is short-
-- lived, and renewed by each look, so that a process that died delays the others for a moment only. The order
-- is fair, and no more than that: what is exact is the room itself.

-- True if somebody waits for room in this queue. A place that seems to last for longer than a look gives was
-- taken before the clock was set back, and is none.
create or replace function pgjobq.has_room_line(p_queue int) returns boolean language plpgsql stable as $$
begin
    return exists (select from pgjobq.room_waiters
                    where shard = 0 and queue_id = p_queue and until > clock_timestamp()
                      and until <= clock_timestamp() + interval '3 seconds');
end $$;

comment on function pgjobq.has_room_line is 'Internal. Whether somebody waits for room in a queue.';

-- Joins the line of a queue, or stays in it, for three more seconds. `number` is the place, from the first
-- call on; `turn` is the number of jobs for which there is room now, after all who came before.
create or replace function pgjobq.await_room(p_queue int, p_number bigint, p_want int,
                                             out number bigint, out turn int)
language plpgsql set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    v_now timestamptz := clock_timestamp();
    v_before bigint;
begin
    await_room.number := coalesce(p_number, nextval('pgjobq.ticket'));
    insert into pgjobq.room_waiters as w (shard, queue_id, number, want, until)
    values (0, p_queue, await_room.number, p_want, v_now + interval '3 seconds')
    on conflict (shard, queue_id, number) do update set want = excluded.want, until = excluded.until;
    select coalesce(sum(w.want), 0) into v_before from pgjobq.room_waiters w
     where w.shard = 0 and w.queue_id = p_queue and w.number < await_room.number
       and w.until > v_now and w.until <= v_now + interval '3 seconds';
    await_room.turn := case when exists (select from pgjobq.queues where id = p_queue and is_bounded
                                                          and deleted_at is null)
                 then greatest(pgjobq.free_places(p_queue, (least(v_before, 1000000) + p_want)::int)
                               - v_before, 0)
                 else p_want end;
end $$;

comment on function pgjobq.await_room is 'Internal. Waits in line for room in a full queue.';

-- Leaves the line of a queue, and lets those behind look at once if there is room.
create or replace function pgjobq.leave_room_line(p_queue int, p_number bigint, p_notify boolean) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    delete from pgjobq.room_waiters where shard = 0 and queue_id = p_queue and number = p_number;
    if p_notify and pgjobq.has_room_line(p_queue) and pgjobq.free_places(p_queue, 1) > 0 then
        perform pg_notify(pgjobq.channel(), 'room ' || p_queue);
    end if;
end $$;

comment on function pgjobq.leave_room_line is 'Internal. Leaves the line for room in a queue.';
