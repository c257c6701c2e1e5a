-- The retention of a job of this queue with this outcome, unless its kind sets one: what an operator has set,
-- or else what the code says.
create or replace function pgjobq.keep_of(p_queue int, p_outcome text)
returns interval language plpgsql stable as $$
begin
    return (select coalesce(
                max((overrides -> ('keep_' || p_outcome) ->> 'value')::bigint) * interval '1 microsecond',
                max(case p_outcome when 'completed' then keep_completed when 'dead' then keep_dead
                                   when 'cancelled' then keep_cancelled else keep_expired end),
                pgjobq.default_keep(p_outcome))
              from pgjobq.queues where id = p_queue);
end $$;

comment on function pgjobq.keep_of is 'Internal. How long an ended job of a queue is kept.';

-- The retention with this outcome, if neither an operator nor the code sets one.
create or replace function pgjobq.default_keep(p_outcome text) returns interval
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
    return case p_outcome when 'completed' then interval '1 day' when 'dead' then interval '30 days'
                          else interval '7 days' end;
end $$;

comment on function pgjobq.default_keep is 'Internal. How long an ended job is kept by default.';

-- The day with which a row is dropped that is kept for `p_keep`: the first one with a partition on or after
-- the day on which that time is over. Without such a partition it is that very day, and the row goes to
-- `finished_rest`.
create or replace function pgjobq.drop_day(p_keep interval, p_now timestamptz default clock_timestamp())
returns date
language plpgsql stable as $$
declare
    v_day date := (p_now at time zone 'UTC' + least(p_keep, interval '3660 days'))::date;
begin
    return coalesce((select min(day) from pgjobq.finished_days where day >= v_day), v_day);
end $$;

comment on function pgjobq.drop_day is 'Internal. The day with which a row of `finished` is dropped.';
