-- Two programs whose code states different limits for one kind overwrite each other. One limit holds for the
-- whole fleet: that of the program that started last.

-- Says, for people, which limits of kinds another program has recorded that this one is about to change,
-- while workers of others may live; null if there are none. `p_limits` and `p_removed` are what the code of
-- this program states, and the kinds for which it states nothing.
create or replace function pgjobq.overwritten_limits(p_limits pgjobq.limits[], p_removed text[])
returns text[] language plpgsql stable as $$
declare
    v_workers text := pgjobq.listed(array(select name from pgjobq.workers where shard = 0 order by name));
begin
    if v_workers = '' then
        return null;
    end if;
    return (
        select array_agg(format(
                   'two programs state different limits of the kind `%s`: this one %s, and another one %s. '
                   'That of this one holds now, for all. If the other one still runs (there are the workers '
                   '%s), state the same limit in both.',
                   o.name, pgjobq.limit_words(n), pgjobq.limit_words(o), v_workers) order by o.name)
          from pgjobq.limits o
          left join unnest(p_limits) n on n.scope = o.scope and n.name = o.name
         where o.scope = 'kind' and (n.name is not null or o.name = any (p_removed))
           and coalesce(o.concurrency::text, o.rates::text) is not null
           and pgjobq.limit_words(o) <> pgjobq.limit_words(n));
end $$;

comment on function pgjobq.overwritten_limits is 'Internal. Limits of another program that this one changes.';

-- A limit, as the code states it, for people.
create or replace function pgjobq.limit_words(p_limit pgjobq.limits) returns text
language plpgsql stable as $$
declare
    v_words text := concat_ws(' and ',
        p_limit.concurrency || ' at a time',
        (select string_agg(pgjobq.shown_rate(row(rate->>0, rate->>1)::text::pgjobq.rate), ' and ')
           from jsonb_array_elements(p_limit.rates) rate));
begin
    if v_words = '' then
        return 'none';
    end if;
    return concat_ws(', ', v_words, case when p_limit.per_key then 'for each key' end,
                     case when p_limit.on_conflict <> 'wait'
                          then format('on_conflict = "%s"', p_limit.on_conflict) end,
                     case when p_limit.holds then 'on_retry = "hold"'
                          when not p_limit.holds then 'on_retry = "let_pass"' end);
end $$;

comment on function pgjobq.limit_words is 'Internal. A limit, as the code states it, for people.';
