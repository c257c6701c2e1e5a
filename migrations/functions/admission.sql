-- Admission: jobs of the waiting room get permits and tickets, in the order of their priority and arrival.
--
-- It is a transaction of its own after each change that may let a job in: an enqueue, an end, a time that has
-- come. Each limit has a lock. Under it, in a later statement, all holders of permits are read: whoever gave
-- a permit before has committed, and whoever ends a job after it calls again. In the transaction that
-- inserts or ends a job the lock would be held until its commit reaches the disk; and without the lock two
-- sessions would see the same number free.
--
-- Locks are taken in the order: those of kinds, then those of queues, each in the order of their numbers;
-- then rows of jobs, and locked ones are passed over. A number is a hash of the limit, one of 256 for each
-- shard, because the server has a place in memory for each lock that is held.

-- Gives free permits under these limits: of kinds, each with a key or an empty text; and of queues. A job
-- that needs both gets that of its kind first, and then waits with it for its queue's. At most `p_most` jobs
-- of each limit. `queues` are those in which jobs may start now; `more` is true if there may be more to do.
-- `ended` are jobs that a conflict has ended: see `settle_conflicts`. `next_look` is when a rate may have
-- room for those that wait, if nobody was to look by then.
create or replace function pgjobq.admit(
    p_shard smallint, p_kind text[], p_key text[], p_queue int[], p_most int default 500,
    out admitted int, out queues int[], out more boolean, out ended uuid[], out next_look timestamptz)
language plpgsql security definer set lock_timeout = '1s' set search_path = pg_catalog, pg_temp as $$
declare
    v record;       -- the waiting jobs that get a permit, as arrays
    v_next int[];   -- the queues whose permits the jobs that were just admitted need
begin
    if current_setting('transaction_isolation') <> 'read committed' then
        raise exception 'this needs READ COMMITTED: an older snapshot would not see the latest permits';
    end if;
    -- After a crash that loses it, the jobs wait for the next one.
    perform set_config('synchronous_commit', 'off', true);
    admitted := 0;
    perform pgjobq.lock_limits(p_shard, 0, array(select u.kind || ' ' || u.key
                                                   from unnest(p_kind, p_key) u(kind, key)));
    v := pgjobq.next_for_kinds(p_shard, p_kind, p_key, p_most);
    -- step: permits found
    more := v.more is true;
    if v.ids is not null then
        select m.admitted, m.queues, m.next into admitted, queues, v_next
          from pgjobq.give_permits(p_shard, v.ids, v.places, v.permits) m;
    end if;
    select c.ended, c.more or admit.more into ended, more
      from pgjobq.settle_conflicts(p_shard, p_kind, p_key, more) c;
    p_queue := array(select unnest(p_queue) union select unnest(v_next) order by 1);
    if p_queue <> '{}' then
        perform pgjobq.lock_limits(p_shard, 1, p_queue::text[]);
        v := pgjobq.next_for_queues(p_shard, p_queue, p_most);
        more := more or v.more is true;
        if v.ids is not null then
            select admit.admitted + m.admitted, admit.queues || m.queues into admitted, queues
              from pgjobq.give_queue_permits(p_shard, v.ids, v.places, v.permits) m;
        end if;
    end if;
    if pgjobq.are_rated(p_kind, p_queue) then
        next_look := pgjobq.await_rates(p_shard, p_kind, p_key, p_queue);
    end if;
end $$;

comment on function pgjobq.admit is 'Internal. Gives free permits to jobs in the waiting room.';

revoke execute on function pgjobq.admit from public;

-- Locks limits until the transaction ends, in the order of their numbers.
create or replace function pgjobq.lock_limits(p_shard smallint, p_class int, p_limits text[]) returns void
language plpgsql as $$
declare
    c_numbers constant int := 256;
    v_numbers int[] := array(
        select distinct hashtext(l) & (c_numbers - 1) from unnest(p_limits) l order by 1);
begin
    perform pg_advisory_xact_lock(hashtext('pgjobq.limits'), (p_shard * 2 + p_class) * c_numbers + number)
       from unnest(v_numbers) number;
end $$;

comment on function pgjobq.lock_limits is 'Internal. Locks limits until the transaction ends.';

-- Locks the next jobs that wait for a permit of their kind, as many as there are free ones under each limit,
-- and as its rates have room for. Their order is that of their arrival.
-- If a kind has no such limit, they get the permit 0, of which there are any number.
--
-- Mostly no other job has the key: then `free` is null, and the permits from 1 on are free. What only rates
-- and larger limits need is called for those alone, and one window numbers the jobs of all keys.
create or replace function pgjobq.next_for_kinds(
    p_shard smallint, p_kind text[], p_key text[], p_most int,
    out ids uuid[], out places tid[], out permits int[], out more boolean)
language plpgsql as $$
begin
    select array_agg(w.id), array_agg(w.place),
           array_agg(coalesce(w.free[w.n], w.n::int)), bool_or(w.n = p_most)
      into ids, places, permits, more
      from (select r.*, free.permits as free, rate.room, row_number() over per_key as n,
                   sum(least(r.weight, rate.most)) over per_key as weights
              from (select kind, pgjobq.concurrency_of('kind', kind) as most,
                           pgjobq.rates_of('kind', kind) as rates
                      from (select distinct kind from unnest(p_kind) u(kind)) d offset 0) c,
                   lateral (select u.key, min(u.n) as n
                              from unnest(p_kind, p_key) with ordinality u(kind, key, n)
                             where u.kind = c.kind group by u.key) l,
                   lateral (select array(
                        select permit from pgjobq.jobs
                         where shard = p_shard and kind = c.kind
                           and coalesce(case when limits & 16::smallint > 0 then key end, '') = l.key
                           and permit > 0
                         order by permit) as permits offset 0) taken,
                   lateral (select case when c.most is null or taken.permits <> '{}'
                                   then pgjobq.free_permits(taken.permits, c.most, p_most) end as permits
                            offset 0) free
                   left join lateral (select u.room, u.most
                                        from pgjobq.room_under(p_shard, 'kind', c.kind, l.key, c.rates) u
                                       where c.rates is not null) rate on true,
                   lateral (select id, ctid as place, priority, arrival, coalesce(weight, 1) as weight
                              from pgjobq.jobs
                             where shard = p_shard and kind = c.kind
                               and coalesce(case when limits & 16::smallint > 0 then key end, '') = l.key
                               and limits & 1::smallint > 0 and permit is null and ticket is null
                               and run_at is null and waits_for = 0
                             order by priority desc, arrival
                             limit least(coalesce(cardinality(free.permits), c.most), p_most, rate.room)
                               for update skip locked) r
            window per_key as (partition by l.n order by r.priority desc, r.arrival rows unbounded preceding)
             order by r.arrival) w
     where w.room is null or w.weights <= w.room;
end $$;

comment on function pgjobq.next_for_kinds is 'Internal. Locks the next jobs that get permits of their kinds.';

-- The same of permits of queues. Jobs that need one of their kind have it already.
create or replace function pgjobq.next_for_queues(
    p_shard smallint, p_queue int[], p_most int,
    out ids uuid[], out places tid[], out permits int[], out more boolean)
language plpgsql as $$
begin
    select array_agg(w.id order by w.arrival), array_agg(w.place order by w.arrival),
           array_agg(w.permit order by w.arrival), bool_or(w.n = p_most)
      into ids, places, permits, more
      from (select q.id as queue_id, q.name, pgjobq.concurrency_of('queue', q.name) as most,
                   pgjobq.rates_of('queue', q.name) as rates
              from unnest(p_queue) d(id) join pgjobq.queues q on q.id = d.id offset 0) c,
           lateral (select array(select queue_permit from pgjobq.jobs
                                  where shard = p_shard and queue_id = c.queue_id and queue_permit > 0
                                  order by queue_permit) as permits offset 0) taken,
           lateral (select pgjobq.free_permits(taken.permits, c.most, p_most) as permits offset 0) free,
           lateral pgjobq.room_under(p_shard, 'queue', c.name, '', c.rates) rate,
           lateral (select r.*, free.permits[row_number() over ()] as permit, row_number() over () as n,
                           sum(least(r.weight, rate.most)) over (rows unbounded preceding) as weights
                      from (select id, ctid as place, arrival, coalesce(weight, 1) as weight from pgjobq.jobs
                             where shard = p_shard and queue_id = c.queue_id
                               and limits & 2::smallint > 0 and queue_permit is null and ticket is null
                               and run_at is null and waits_for = 0
                               and (limits & 1::smallint = 0 or permit is not null)
                             order by priority desc, arrival
                             limit least(cardinality(free.permits), rate.room)
                               for update skip locked) r) w
     where rate.room is null or w.weights <= rate.room;
end $$;

comment on function pgjobq.next_for_queues is 'Internal. Locks the next jobs that get queue permits.';

-- The numbers of free permits, at most `p_want`, beside those that are taken. If `p_most` is null there is no
-- such limit. After it was lowered, taken numbers may be above it; then they count all the same.
create or replace function pgjobq.free_permits(p_taken int[], p_most int, p_want int) returns int[]
language plpgsql immutable as $$
declare
    v_free int := least(p_want, p_most - cardinality(p_taken));
    v_numbers int[] := '{}';
begin
    if p_most is null then
        return array_fill(0, array[p_want]);
    elsif v_free <= 0 then
        return '{}';
    elsif p_most > 64 then
        return array(select generate_series(1, p_most) except select unnest(p_taken) limit v_free);
    end if;
    -- Without a statement: there may be hundreds of keys with a few permits each.
    for number in 1..p_most loop
        if number <> all (p_taken) then
            v_numbers := v_numbers || number;
            exit when cardinality(v_numbers) = v_free;
        end if;
    end loop;
    return v_numbers;
end $$;

comment on function pgjobq.free_permits is 'Internal. The numbers of free permits.';

-- Gives locked jobs permits of their kinds, and a ticket if they need no other. The others wait for that of
-- their queue (`next`), behind those that wait there already: so the keys take turns, and one with many jobs
-- does not delay the others.
create or replace function pgjobq.give_permits(
    p_shard smallint, p_id uuid[], p_place tid[], p_permit int[],
    out admitted int, out queues int[], out next int[])
language plpgsql as $$
declare
    v_new bigint[] := pgjobq.draw_tickets(cardinality(p_id));
begin
    with given as (
        update pgjobq.jobs j
           set permit = d.permit,
               ticket = case when pgjobq.may_be_in_line(j.limits, d.permit, j.queue_permit)
                             then v_new[d.n] end,
               arrival = case when pgjobq.may_be_in_line(j.limits, d.permit, j.queue_permit)
                              then j.arrival else v_new[d.n] end
          from unnest(p_id, p_place, p_permit) with ordinality d(id, place, permit, n)
         where j.ctid = d.place and j.shard + 0 = p_shard and j.id is not distinct from d.id
        returning j.queue_id, j.ticket)
    select count(ticket), array_agg(distinct queue_id) filter (where ticket is not null),
           array_agg(distinct queue_id) filter (where ticket is null)
      into admitted, queues, next from given;
end $$;

comment on function pgjobq.give_permits is 'Internal. Gives jobs permits of their kinds.';

-- Gives locked jobs permits of their queues, and a ticket.
create or replace function pgjobq.give_queue_permits(
    p_shard smallint, p_id uuid[], p_place tid[], p_permit int[], out admitted int, out queues int[])
language plpgsql as $$
declare
    v_new bigint[] := pgjobq.draw_tickets(cardinality(p_id));
begin
    with given as (
        update pgjobq.jobs j set queue_permit = d.permit, ticket = v_new[d.n]
          from unnest(p_id, p_place, p_permit) with ordinality d(id, place, permit, n)
         where j.ctid = d.place and j.shard + 0 = p_shard and j.id is not distinct from d.id
        returning j.queue_id)
    select count(*), array_agg(distinct queue_id) into admitted, queues from given;
end $$;

comment on function pgjobq.give_queue_permits is 'Internal. Gives jobs permits of their queues.';

-- Admits what it can under the limits of these jobs, of one shard, which wait for permits or have just given
-- theirs back. Jobs that are gone or wait for nothing are left out. It waits at most a second for a limit. It
-- must not be called in an open transaction, which would hold the limits: producers may call it. `dropped`
-- are those of these jobs that an admission has ended: this one, or that of another session.
create or replace function pgjobq.admit_jobs(
    p_shard smallint, p_jobs uuid[], out admitted int, out queues int[], out more boolean,
    out ended uuid[], out next_look timestamptz, out dropped uuid[])
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_kinds text[]; v_keys text[]; v_queues int[];
begin
    perform pgjobq.reject_open_transaction();
    select array_agg(j.kind) filter (where j.limits & 1::smallint > 0 and j.permit is null),
           array_agg(pgjobq.permit_key(j.limits, j.key))
               filter (where j.limits & 1::smallint > 0 and j.permit is null),
           array_agg(distinct j.queue_id) filter (where j.limits & 2::smallint > 0 and j.queue_permit is null)
      into v_kinds, v_keys, v_queues
      from unnest(p_jobs) d(id), lateral pgjobq.job_row(p_shard, d.id) j
     where j.limits is not null and j.ticket is null and j.run_at is null and j.waits_for = 0;
    admitted := 0;
    select o.kinds, o.keys, o.queues into v_kinds, v_keys, v_queues
      from pgjobq.open_limits(p_shard, v_kinds, v_keys, v_queues) o;
    if v_kinds is not null or v_queues is not null then
        select a.admitted, a.queues, a.more, a.ended, a.next_look
          into admitted, queues, more, ended, next_look
          from pgjobq.admit(p_shard, v_kinds, v_keys, v_queues) a;
    end if;
    dropped := pgjobq.ended_by_limit(p_shard, p_jobs);
end $$;

comment on function pgjobq.admit_jobs is 'Internal. Admits what it can under the limits of these jobs.';

revoke execute on function pgjobq.admit_jobs from public;

-- Those of these limits that have a free permit, or let no job wait. It looks without a lock: a permit that
-- is given back after this look is followed by an admission, which sees the jobs that the caller knows of.
create or replace function pgjobq.open_limits(
    p_shard smallint, p_kind text[], p_key text[], p_queue int[],
    out kinds text[], out keys text[], out queues int[])
language plpgsql as $$
begin
    select array_agg(l.kind), array_agg(l.key) into kinds, keys
      from (select d.kind, pgjobq.concurrency_of('kind', d.kind) as most,
                   pgjobq.has_own_answers(p_shard, d.kind)
                   or exists (select from pgjobq.limits
                               where scope = 'kind' and name = d.kind and on_conflict <> 'wait') as answers
              from (select distinct kind from unnest(p_kind) u(kind)) d offset 0) k,
           lateral (select distinct k.kind, u.key from unnest(p_kind, p_key) u(kind, key)
                     where u.kind = k.kind) l
     where k.most is null or k.answers or k.most > (
           select count(*) from (select from pgjobq.jobs
                                  where shard = p_shard and kind = l.kind
                                    and coalesce(case when limits & 16::smallint > 0 then key end, '') = l.key
                                    and permit > 0
                                  order by permit limit k.most) t);
    queues := (select array_agg(q.id)
                 from (select d.id, pgjobq.concurrency_of('queue', o.name) as most
                         from unnest(p_queue) d(id) join pgjobq.queues o on o.id = d.id offset 0) q
                where q.most is null or q.most > (
                      select count(*) from (select from pgjobq.jobs
                                             where shard = p_shard and queue_id = q.id and queue_permit > 0
                                             order by queue_permit limit q.most) t));
end $$;

comment on function pgjobq.open_limits is 'Internal. Finds limits under which a job may be let in.';

-- The next limits, after the cursor (`p_kind`, `p_key`), under which jobs wait and a permit is free, or under
-- which a job waits that should not; at most `p_most` limits are looked at. Those of queues come with the
-- end, where `next_kind` is null. `waiting` is true if any job waits for a permit. It locks nothing: `admit`
-- reads again. All else that leads to an admission is a hint; this finds what was missed.
create or replace function pgjobq.find_admissible(
    p_shard smallint, p_kind text, p_key text, p_most int,
    out kinds text[], out keys text[], out queues int[], out next_kind text, out next_key text,
    out waiting boolean)
language plpgsql as $$
declare
    v_most int;
    v_seen int := 0;
    v_kind text := '';
begin
    waiting := pgjobq.has_limited(p_shard);
    next_kind := coalesce(p_kind, '');
    next_key := coalesce(p_key, '');
    loop
        select kind, coalesce(case when limits & 16::smallint > 0 then key end, '') into next_kind, next_key
          from pgjobq.jobs
         where shard = p_shard
           and (kind, coalesce(case when limits & 16::smallint > 0 then key end, '')) > (next_kind, next_key)
           and limits & 1::smallint > 0 and permit is null and ticket is null and run_at is null
           and waits_for = 0
         order by kind, coalesce(case when limits & 16::smallint > 0 then key end, '') limit 1;
        exit when next_kind is null;
        v_most := case when v_kind = next_kind then v_most else pgjobq.concurrency_of('kind', next_kind) end;
        v_kind := next_kind;
        if pgjobq.permit_is_free(p_shard, next_kind, next_key, v_most)
           and not pgjobq.awaits_room(p_shard, 'kind', next_kind, next_key)
           or pgjobq.has_conflict(p_shard, next_kind, next_key)
        then
            kinds := kinds || next_kind;
            keys := keys || next_key;
        end if;
        v_seen := v_seen + 1;
        if v_seen >= p_most then
            return;
        end if;
    end loop;
    queues := pgjobq.queues_with_room(p_shard);
end $$;

comment on function pgjobq.find_admissible is
    'Internal. Finds limits under which waiting jobs may be let in.';

-- True if fewer than `p_most` jobs have permits under the limit of a kind; null: there is no such limit.
create or replace function pgjobq.permit_is_free(p_shard smallint, p_kind text, p_key text, p_most int)
returns boolean language plpgsql as $$
begin
    return p_most is null or p_most > (
        select count(*) from (select from pgjobq.jobs
                               where shard = p_shard and kind = p_kind
                                 and coalesce(case when limits & 16::smallint > 0 then key end, '') = p_key
                                 and permit > 0
                               order by permit limit p_most) t);
end $$;

comment on function pgjobq.permit_is_free is 'Internal. Whether a permit of a kind is free.';

-- The queues in whose waiting room jobs are, and of which a permit is free.
create or replace function pgjobq.queues_with_room(p_shard smallint) returns int[] language plpgsql as $$
declare
    v_queue int := -2147483648;
    v_most int;
    v_queues int[];
begin
    loop
        select queue_id into v_queue from pgjobq.jobs
         where shard = p_shard and queue_id > v_queue
           and limits & 2::smallint > 0 and queue_permit is null and ticket is null and run_at is null
           and waits_for = 0 and (limits & 1::smallint = 0 or permit is not null)
         order by queue_id, priority desc limit 1;
        exit when v_queue is null;
        v_most := pgjobq.concurrency_of('queue', (select name from pgjobq.queues where id = v_queue));
        if v_most is null or v_most > (
            select count(*) from (select from pgjobq.jobs
                                   where shard = p_shard and queue_id = v_queue and queue_permit > 0
                                   order by queue_permit limit v_most) t)
        then
            v_queues := v_queues || v_queue;
        end if;
    end loop;
    return v_queues;
end $$;

comment on function pgjobq.queues_with_room is 'Internal. Finds queues in which jobs wait for a free permit.';

-- True if a job waits for a permit: two index probes.
create or replace function pgjobq.has_limited(p_shard smallint) returns boolean language plpgsql as $$
begin
    return exists (select from (select from pgjobq.jobs
             where shard = p_shard
               and limits & 1::smallint > 0 and permit is null and ticket is null and run_at is null
               and waits_for = 0
             order by kind, coalesce(case when limits & 16::smallint > 0 then key end, '')
             limit 1) j)
        or exists (select from (select from pgjobq.jobs
             where shard = p_shard
               and limits & 2::smallint > 0 and queue_permit is null and ticket is null and run_at is null
               and waits_for = 0 and (limits & 1::smallint = 0 or permit is not null)
             order by queue_id limit 1) j);
end $$;

comment on function pgjobq.has_limited is 'Internal. Whether a job waits for a permit.';
