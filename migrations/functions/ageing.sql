-- Ageing: a job that has waited for long at its priority moves up by one, so that a stream of jobs of a
-- higher priority does not keep it waiting without end.
--
-- Neither a job's row nor an index has the time at which it came into line. So each lane with ageing keeps
-- *marks*: at this time, that ticket was the last one drawn. A job with a ticket up to a mark has waited at
-- least since then. A raised job keeps its ticket. So it comes before the jobs of its new priority that came
-- later, and moves up again when its ticket is twice as old, and once more when it is three times as old. The
-- tickets that have *passed* each of these ages are remembered, so that no job moves twice for one of them.

-- How long a job of a queue waits before it moves up; null: without end. An operator's time wins, and 0 turns
-- ageing off.
create or replace function pgjobq.ageing_of(p_queue int) returns interval language plpgsql stable as $$
begin
    return (select nullif(coalesce((overrides -> 'ageing' ->> 'value')::bigint * interval '1 microsecond',
                                   ageing), '0')
              from pgjobq.queues where id = p_queue and deleted_at is null);
end $$;

comment on function pgjobq.ageing_of is 'Internal. How long a job of a queue waits before it moves up.';

-- Sets what the code says of the ageing of a queue, in microseconds; 0 turns it off. Running workers follow.
create or replace function pgjobq.save_ageing(p_queue int, p_ageing bigint) returns void language plpgsql
    set search_path = pg_catalog, pg_temp as $$
declare
    v_ageing interval := p_ageing * interval '1 microsecond';
begin
    update pgjobq.queues set ageing = v_ageing where id = p_queue and ageing is distinct from v_ageing;
    perform pg_notify(pgjobq.channel(), 'queues changed') where found;
end $$;

comment on function pgjobq.save_ageing is 'Internal. Sets what the code says of the ageing of a queue.';

-- Raises jobs of a lane that have waited for long enough: about `p_most` of each priority and age. `wait` is
-- the time in microseconds after which to call it again; null if the queue does not age. Any session may call
-- it at any time: it does nothing if it comes too early, or if another session is at this lane.
create or replace function pgjobq.age_jobs(
    p_shard smallint, p_queue int, p_most int, out raised int, out wait bigint)
language plpgsql set lock_timeout = '1s' as $$
declare
    v_age interval := pgjobq.ageing_of(p_queue);
    v_began timestamptz := clock_timestamp();
    v_pause interval := v_age / 16;
    v_old bigint;       -- the last ticket of that age
    a pgjobq.ageing;
    r record;
begin
    raised := 0;
    if v_age is null then
        delete from pgjobq.ageing where shard = p_shard and queue_id = p_queue;
        return;
    end if;
    insert into pgjobq.ageing (shard, queue_id) values (p_shard, p_queue) on conflict do nothing;
    select * into a from pgjobq.ageing where shard = p_shard and queue_id = p_queue for update skip locked;
    -- A time that is far ahead is from before the clock was set back.
    if found and (a.next_at <= v_began or a.next_at > v_began + v_age) then
        -- step: marks locked
        a := pgjobq.with_mark(a, v_began, v_age);
        for n in 1..3 loop
            v_old := pgjobq.ticket_at(a, v_began - n * v_age);
            continue when v_old is null;
            v_old := least(v_old, a.passed[n - 1]);
            r := pgjobq.raise_jobs(p_shard, p_queue, a.passed[n], v_old, p_most);
            raised := raised + r.raised;
            a.passed[n] := greatest(a.passed[n], r.reached);
            if r.reached < v_old then
                v_pause := least(v_pause, clock_timestamp() - v_began);     -- Claims get half of the time.
            end if;
        end loop;
        update pgjobq.ageing
           set times = a.times, tickets = a.tickets, passed = a.passed,
               next_at = clock_timestamp() + v_pause
         where shard = p_shard and queue_id = p_queue;
    end if;
    wait := pgjobq.microseconds(v_pause);
end $$;

comment on function pgjobq.age_jobs is 'Internal. Raises jobs of a lane that have waited for long enough.';

-- Adds a mark of now, and removes those that are not needed any more: all but the latest that are older than
-- three times the age, and those of the future, from before the clock was set back. No ticket is above the
-- last one drawn: the sequence may have been set back.
create or replace function pgjobq.with_mark(a pgjobq.ageing, p_now timestamptz, p_age interval)
returns pgjobq.ageing language plpgsql stable as $$
declare
    v_drawn bigint := coalesce(pg_sequence_last_value('pgjobq.ticket'), 0);
    v_oldest timestamptz := (select max(t.time) from unnest(a.times) t(time)
                              where t.time <= p_now - 3 * p_age);
begin
    select coalesce(array_agg(m.time order by m.time), '{}'),
           coalesce(array_agg(least(m.ticket, v_drawn) order by m.time), '{}')
      into a.times, a.tickets
      from unnest(a.times, a.tickets) m(time, ticket)
     where m.time <= p_now and (v_oldest is null or m.time >= v_oldest);
    a.passed := array(select least(p.ticket, v_drawn) from unnest(a.passed) with ordinality p(ticket, n)
                       order by p.n);
    -- While there is much to do the calls come soon after each other.
    if (a.times[cardinality(a.times)] > p_now - p_age / 32) is not true then
        a.times := a.times || p_now;
        a.tickets := a.tickets || v_drawn;
    end if;
    return a;
end $$;

comment on function pgjobq.with_mark is 'Internal. Adds a mark to those of a lane.';

-- The last ticket that was drawn at a time or before it, as far as the marks say; null if they do not.
create or replace function pgjobq.ticket_at(a pgjobq.ageing, p_time timestamptz) returns bigint
language plpgsql stable as $$
begin
    return (select max(m.ticket) from unnest(a.times, a.tickets) m(time, ticket) where m.time <= p_time);
end $$;

comment on function pgjobq.ticket_at is 'Internal. The last ticket that was drawn at a time.';

-- Raises the waiting jobs of a lane with tickets above `p_above` and up to `p_up_to` by one priority, at most
-- `p_most` of each: up to the ticket `reached`. It locks the lane, and leaves jobs that run or whose rows
-- others have locked. The highest priority comes first, so that no job moves twice.
create or replace function pgjobq.raise_jobs(
    p_shard smallint, p_queue int, p_above bigint, p_up_to bigint, p_most int, out raised int,
    out reached bigint)
language plpgsql as $$
declare
    v_leased int8multirange;
    v_count int;
begin
    raised := 0;
    reached := least(p_up_to, (
        select min(e.ticket)
          from generate_series(0, 2) p,
               lateral pgjobq.end_of_walk(p_shard, p_queue, p, p_above, p_most, p_up_to) e));
    if not exists (select from generate_series(0, 2) p,
                          lateral pgjobq.ready_line(p_shard, p_queue, p, p_above, 1, reached)) then
        return;
    end if;
    perform from pgjobq.lanes where shard = p_shard and queue_id = p_queue for update;
    -- step: lane of the old locked
    for v_priority in reverse 2..0 loop
        v_leased := pgjobq.leased_tickets(p_shard, p_queue, v_priority, p_above);
        with waiting as materialized (
            select j.ctid as address, j.id
              from pgjobq.ready_line(p_shard, p_queue, v_priority, p_above, p_most, reached) l,
                   pgjobq.jobs j
             where (v_leased is null or not v_leased @> l.ticket)
               and j.ctid = l.address and j.shard + 0 = p_shard and j.id is not distinct from l.id
               for no key update of j skip locked)
        update pgjobq.jobs j set priority = v_priority + 1
          from waiting w
         where j.ctid = w.address and j.shard + 0 = p_shard and j.id is not distinct from w.id;
        get diagnostics v_count = row_count;
        raised := raised + v_count;
    end loop;
end $$;

comment on function pgjobq.raise_jobs is 'Internal. Raises waiting jobs of a lane by one priority.';
