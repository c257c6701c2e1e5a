-- Rates at admission: no more jobs come into line than may start now. The rest waits in the waiting room,
-- where no claim sees it, until `next_at`. This is a bound on the work of claims, and no promise: a claim
-- decides.

-- The weight of the jobs in line under a limit with a rate, which have not started. It looks at the last
-- `p_most` of those that are in line or run (of a queue, for each priority, and not at its quarantine); if
-- more run that were let in later, it may miss some.
create or replace function pgjobq.rated_in_line(
    p_shard smallint, p_scope text, p_name text, p_key text, p_most bigint)
returns bigint language plpgsql stable as $$
declare
    v_queue int := case when p_scope = 'queue' then (select id from pgjobq.queues where name = p_name) end;
begin
    return coalesce((
        select sum(t.weight)
          from (select j.queue_id, j.priority, min(j.ticket) as low, array_agg(j.ticket) as tickets,
                       array_agg(coalesce(j.weight, 1)) as weights
                  from ((select k.queue_id, k.priority, k.ticket, k.weight from pgjobq.jobs k
                          where k.shard = p_shard and k.kind = p_name and p_scope = 'kind'
                            and case when k.ticket is not null
                                     then coalesce(case when k.limits & 16::smallint > 0 then k.key end, '')
                                     end = p_key
                            and k.limits & 5::smallint = 5 and k.ticket is not null
                          order by k.ticket desc limit p_most)
                        union all
                        (select q.queue_id, q.priority, q.ticket, q.weight
                           from generate_series(0, 3) p(priority),
                                lateral (select * from pgjobq.jobs i
                                          where i.shard = p_shard and i.queue_id = v_queue
                                            and i.priority = p.priority and i.ticket is not null
                                            and i.crashes = 0
                                          order by i.ticket desc limit p_most) q
                          where q.limits & 6::smallint = 6)) j
                 group by j.queue_id, j.priority) lines,
               lateral (select range_agg(l.tickets) as tickets
                          from (select tickets from pgjobq.leases
                                 where shard = p_shard and queue_id = lines.queue_id
                                   and priority = lines.priority and max_ticket >= lines.low
                                 order by max_ticket offset 0) l) leased,
               unnest(lines.tickets, lines.weights) t(ticket, weight)
         where leased.tickets is null or not leased.tickets @> t.ticket), 0);
end $$;

comment on function pgjobq.rated_in_line is 'Internal. The weight that is in line under a rate.';

-- The weight that may come into line under a limit now, and the highest that it allows. Null without rates.
create or replace function pgjobq.room_under(
    p_shard smallint, p_scope text, p_name text, p_key text, p_rates pgjobq.rate[],
    out room bigint, out most bigint)
language plpgsql stable as $$
declare
    v_now bigint := pgjobq.micros(clock_timestamp());
begin
    if p_rates is null then
        return;
    end if;
    most := (select min(r.most) from unnest(p_rates) r);
    -- One statement, so that a job which starts meanwhile is in line, or in the history. A thousand in line
    -- are enough, and so no look has to count more: `look_again` notes when the next may come.
    room := (select case when l.weight < 1000 then h.room - l.weight else 0 end
               from (select coalesce(min(r.allowed - r.used), room_under.most) as room
                       from pgjobq.starts s,
                            unnest(p_rates, pgjobq.used_of(p_rates, s.at, s.weights, v_now))
                                r(allowed, span, used)
                      where s.shard = p_shard and s.scope = p_scope and s.name = p_name
                        and s.key = p_key) h,
                    pgjobq.rated_in_line(p_shard, p_scope, p_name, p_key, least(most, 1000) + 1000)
                        l(weight));
    room := greatest(room, 0);
end $$;

comment on function pgjobq.room_under is 'Internal. The weight that may come into line under a rate.';

-- True if a rate has no room now, and a look is noted that does not come soon: nobody has to look before. (A
-- time that is further away than a window is long comes from a clock that was set back.)
create or replace function pgjobq.awaits_room(p_shard smallint, p_scope text, p_name text, p_key text)
returns boolean language plpgsql stable as $$
declare
    v_now bigint := pgjobq.micros(clock_timestamp());
    v_rates pgjobq.rate[];
    s pgjobq.starts;
begin
    select * into s from pgjobq.starts
     where shard = p_shard and scope = p_scope and name = p_name and key = p_key;
    if s.next_at is null then
        return false;
    end if;
    v_rates := pgjobq.rates_of(p_scope, p_name);
    return pgjobq.micros(s.next_at) - v_now between 1000001 and (select max(span) from unnest(v_rates))
           and pgjobq.fitting(v_rates, pgjobq.used_of(v_rates, s.at, s.weights, v_now), '{1}') = 0;
end $$;

comment on function pgjobq.awaits_room is 'Internal. Whether a rate has no room, and a look is noted.';

-- True if one of these kinds or queues has a rate.
create or replace function pgjobq.are_rated(p_kind text[], p_queue int[]) returns boolean
language plpgsql stable as $$
declare
    v_limited jsonb := (select limited from pgjobq.settings);
begin
    return exists (select from unnest(p_kind) kind where (v_limited->('kind ' || kind))::int & 4 > 0)
        or exists (select from pgjobq.queues q
                    where q.id = any (p_queue) and (v_limited->('queue ' || q.name))::int & 4 > 0);
end $$;

comment on function pgjobq.are_rated is 'Internal. Whether one of some kinds or queues has a rate.';

-- The weight of the first job that waits under a limit; no row if none waits.
create or replace function pgjobq.first_waiting(p_shard smallint, p_scope text, p_name text, p_key text)
returns table (weight int) language plpgsql stable as $$
begin
    if p_scope = 'kind' then
        return query
        select coalesce(j.weight, 1) from pgjobq.jobs j
         where j.shard = p_shard and j.kind = p_name
           and coalesce(case when j.limits & 16::smallint > 0 then j.key end, '') = p_key
           and j.limits & 1::smallint > 0 and j.permit is null and j.ticket is null and j.run_at is null
           and j.waits_for = 0
         order by j.priority desc, j.arrival limit 1;
    else
        return query
        select coalesce(j.weight, 1) from pgjobq.jobs j
         where j.shard = p_shard and j.queue_id = (select id from pgjobq.queues where name = p_name)
           and j.limits & 2::smallint > 0 and j.queue_permit is null and j.ticket is null and j.run_at is null
           and j.waits_for = 0 and (j.limits & 1::smallint = 0 or j.permit is not null)
         order by j.priority desc, j.arrival limit 1;
    end if;
end $$;

comment on function pgjobq.first_waiting is 'Internal. The first job that waits under a limit.';

-- Notes when to look again at those of some limits that have a rate and still have jobs that wait, and that
-- nobody waits under the others. Returns the first of these times by which nobody was to look before.
create or replace function pgjobq.await_rates(
    p_shard smallint, p_kind text[], p_key text[], p_queue int[])
returns timestamptz language plpgsql as $$
declare
    v_groups pgjobq.rated_group[];
    v_now timestamptz;
begin
    v_groups := array(
        select row(l.scope, l.name, l.key, l.rates, null, array[w.weight])::pgjobq.rated_group
          from (select distinct 'kind' as scope, k.kind as name, k.key,
                       pgjobq.rates_of('kind', k.kind) as rates
                  from unnest(p_kind, p_key) k(kind, key)
                union all
                select 'queue', q.name, '', pgjobq.rates_of('queue', q.name)
                  from pgjobq.queues q where q.id = any (p_queue)) l
               left join lateral pgjobq.first_waiting(p_shard, l.scope, l.name, l.key) w on true
         where l.rates is not null
           and case when w.weight is not null then not pgjobq.awaits_room(p_shard, l.scope, l.name, l.key)
                    else exists (select from pgjobq.starts s
                                  where s.shard = p_shard and s.scope = l.scope and s.name = l.name
                                    and s.key = l.key and s.next_at is not null) end
         order by l.scope, l.name, l.key);
    perform pgjobq.note_starts(p_shard, v_groups);
    perform from unnest(v_groups) g, pgjobq.starts s
      where s.shard = p_shard and s.scope = g.scope and s.name = g.name and s.key = g.key
      order by s.scope, s.name, s.key for update of s;
    -- step: histories locked
    v_now := clock_timestamp();
    return (select min(pgjobq.look_again(
                       p_shard, g.scope, g.name, g.key, g.rates, v_now,
                       pgjobq.rated_in_line(p_shard, g.scope, g.name, g.key,
                                            least((g.rates[1]).most, 1000) + 1000),
                       g.weights[1]))
              from unnest(v_groups) g);
end $$;

comment on function pgjobq.await_rates is 'Internal. Notes when a rate may have room again.';

-- Takes the limits whose time has come from all other workers, for a second: the caller admits under them,
-- which notes the next time. `more` is true if the time of others has come, too: also of those whose history
-- another session has locked.
create or replace function pgjobq.take_awaited(
    p_shard smallint, p_most int, out kinds text[], out keys text[], out queues int[], out more boolean)
language plpgsql as $$
declare
    v_now timestamptz := clock_timestamp();
begin
    with due as materialized (
        select scope, name, key from pgjobq.starts
         where shard = p_shard and next_at is not null and next_at <= v_now
         order by next_at limit p_most for update skip locked),
    taken as (
        update pgjobq.starts s
           set next_at = case when pgjobq.rates_of(d.scope, d.name) is not null
                              then v_now + interval '1 second' end
          from due d where s.shard = p_shard and s.scope = d.scope and s.name = d.name and s.key = d.key
        returning s.scope, s.name, s.key)
    select array_agg(t.name) filter (where t.scope = 'kind'),
           array_agg(t.key) filter (where t.scope = 'kind'), array_agg(q.id) filter (where t.scope = 'queue')
      into kinds, keys, queues
      from taken t left join pgjobq.queues q on t.scope = 'queue' and q.name = t.name;
    more := exists (select from (select next_at from pgjobq.starts
                                  where shard = p_shard and next_at is not null order by next_at limit 1) s
                     where s.next_at <= v_now);
end $$;

comment on function pgjobq.take_awaited is 'Internal. Takes the limits whose rates may have room again.';

-- Deletes histories in which no start counts any more, of the next `p_most` limits after `p_after` (scope,
-- name and key). Returns the last limit that it came to, and nothing at the end.
create or replace function pgjobq.tidy_starts(p_shard smallint, p_after text[], p_most int) returns text[]
language plpgsql as $$
declare
    v_now bigint := pgjobq.micros(clock_timestamp());
    v_looked int;
    v_last text[];
begin
    with looked as materialized (
        select scope, name, key from pgjobq.starts
         where shard = p_shard
           and (scope, name, key)
               > (coalesce(p_after[1], ''), coalesce(p_after[2], ''), coalesce(p_after[3], ''))
         order by scope, name, key limit p_most),
    limits as materialized (
        select l.scope, l.name, (select max(span) from unnest(pgjobq.rates_of(l.scope, l.name))) as span
          from (select distinct scope, name from looked) l),
    deleted as (
        delete from pgjobq.starts s using looked l, limits
         where s.shard = p_shard and s.scope = l.scope and s.name = l.name and s.key = l.key
           and limits.scope = l.scope and limits.name = l.name
           and s.next_at is null and coalesce(s.at[cardinality(s.at)] + limits.span, 0) <= v_now)
    select count(*), max(array[scope, name, key]) into v_looked, v_last from looked;
    return case when v_looked = p_most then v_last else '{}' end;
end $$;

comment on function pgjobq.tidy_starts is 'Internal. Deletes histories in which no start counts any more.';
