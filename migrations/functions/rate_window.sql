-- The arithmetic of rates: sliding windows over a history of starts. Nothing here reads a table or a clock.
--
-- A history is two arrays: ascending times (`at`, in microseconds since 1970), and the weights that started
-- then. A rate of `most` per `span` has room for what is left of `most` after all starts that are younger
-- than `span`. So in every half-open interval of that length at most `most` start. If a history has more than
-- 64 starts for each rate, starts that lie close together become one, at the time of the last of them. They
-- count longer than they must, by at most about a 64th of the span, and never shorter.
--
-- A start in the future comes from a clock that was set back. It counts, and the next change of the history
-- moves it to the present, because its true time was earlier. So it blocks nothing for longer than one span.
--
-- A weight above `most` (the rate was lowered) needs the whole of `most`: it starts alone, and not never.

-- The weight that counts under each rate.
create or replace function pgjobq.used_of(
    p_rates pgjobq.rate[], p_at bigint[], p_weights int[], p_now bigint)
returns bigint[] language plpgsql immutable as $$
begin
    return array(select coalesce((select sum(s.weight) from unnest(p_at, p_weights) s(at, weight)
                                   where s.at + r.span > p_now), 0)
                   from unnest(p_rates) with ordinality r(most, span, n) order by r.n);
end $$;

comment on function pgjobq.used_of is 'Internal. The weight that counts under each rate.';

-- How many of some jobs may start, in their order: no job goes before one that does not fit. `p_used` is the
-- weight that counts under each rate.
create or replace function pgjobq.fitting(p_rates pgjobq.rate[], p_used bigint[], p_weights int[])
returns int language plpgsql immutable as $$
begin
    return coalesce(
        (select min(j.n) - 1
           from (select n, weight, sum(weight) over (order by n) - weight as before
                   from unnest(p_weights) with ordinality w(weight, n)) j
          where exists (select from unnest(p_rates, p_used) r(most, span, used)
                         where r.used + j.before + least(j.weight, r.most) > r.most)),
        cardinality(p_weights));
end $$;

comment on function pgjobq.fitting is 'Internal. How many of some jobs may start under some rates.';

-- When this weight has room, if what is in line starts now, and nothing else starts before: now, if it has
-- room already.
create or replace function pgjobq.room_at(
    p_rates pgjobq.rate[], p_at bigint[], p_weights int[], p_now bigint, p_in_line bigint, p_weight bigint)
returns bigint language plpgsql immutable as $$
begin
    return (select max(case
                when p_in_line + n.need > r.most and p_in_line > 0 then p_now + r.span
                -- The last start that must be over, so that all later ones leave enough room.
                else coalesce((select least(s.at, p_now) + r.span
                                 from (select h.at, sum(h.weight) over (order by h.n desc) as since
                                         from unnest(p_at, p_weights) with ordinality h(at, weight, n)) s
                                where s.at + r.span > p_now and s.since + p_in_line + n.need > r.most
                                order by s.at desc limit 1), p_now) end)
              from unnest(p_rates) r, lateral (select least(p_weight, r.most) as need) n);
end $$;

comment on function pgjobq.room_at is 'Internal. When a weight has room under some rates.';

-- The history with a new start: without those that no rate counts any more, and with none in the future.
-- Without a weight it is only tidied.
create or replace function pgjobq.add_start(
    p_rates pgjobq.rate[], p_now bigint, p_weight bigint, inout at bigint[], inout weights int[])
language plpgsql immutable as $$
#variable_conflict use_variable
declare
    v_longest bigint := (select max(span) from unnest(p_rates));
    v_is_long boolean := cardinality(at) >= 64 * cardinality(p_rates);
begin
    select coalesce(array_agg(c.last order by c.last), '{}'),
           coalesce(array_agg(c.total order by c.last), '{}')
      into at, weights
      from (select max(s.start) as last, least(sum(s.weight), 2147483647)::int as total
              from (select least(h.start, p_now) as start, h.weight
                      from unnest(at, weights) h(start, weight)
                    union all
                    select p_now, p_weight where p_weight > 0) s,
                   -- Starts of one cell become one. Those that only a long span counts lie in wide cells.
                   lateral (select greatest(min(r.span) / 64, 1) as width from unnest(p_rates) r
                             where v_is_long and s.start + r.span > p_now) w
             where s.start + v_longest > p_now
             group by w.width, s.start / coalesce(w.width, 1)) c;
end $$;

comment on function pgjobq.add_start is 'Internal. Adds a start to the history of a limit.';
