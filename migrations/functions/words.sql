-- The words of sentences for people: times, spans, counts and names.

-- A time, as people read it: in UTC, to the second.
create or replace function pgjobq.moment(p_at timestamptz) returns text language sql stable
    set search_path = pg_catalog, pg_temp as $$
    select to_char(p_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"')
$$;

comment on function pgjobq.moment is 'Internal. A time, as people read it.';

-- A span of time in one unit, rounded down. A negative one is 0 seconds.
create or replace function pgjobq.span(p_span interval) returns text language plpgsql immutable
    set search_path = pg_catalog, pg_temp as $$
declare
    v_seconds bigint := greatest(trunc(extract(epoch from p_span)), 0);
begin
    return case when v_seconds < 120 then pgjobq.counted(v_seconds, 'second')
                when v_seconds < 7200 then pgjobq.counted(v_seconds / 60, 'minute')
                when v_seconds < 172800 then pgjobq.counted(v_seconds / 3600, 'hour')
                else pgjobq.counted(v_seconds / 86400, 'day') end;
end $$;

comment on function pgjobq.span is 'Internal. A span of time, as people read it.';

-- A number of things: `1 job`, `3 jobs`.
create or replace function pgjobq.counted(p_count bigint, p_thing text) returns text
language sql immutable set search_path = pg_catalog, pg_temp as $$
    select p_count || ' ' || p_thing || case when p_count = 1 then '' else 's' end
$$;

comment on function pgjobq.counted is 'Internal. A number of things, as people read it.';

-- Some names in the order in which they come: the first ten, and how many others there are.
create or replace function pgjobq.listed(p_names text[]) returns text language plpgsql immutable
    set search_path = pg_catalog, pg_temp as $$
declare
    v_count int := cardinality(p_names);
begin
    return array_to_string(array(select '`' || name || '`' from unnest(p_names[1:10]) name), ', ')
           || case when v_count > 10 then ' and ' || pgjobq.counted(v_count - 10, 'other') else '' end;
end $$;

comment on function pgjobq.listed is 'Internal. Some names, as people read them.';

-- A time in microseconds since 1970, as programs read it.
create or replace function pgjobq.micros(p_at timestamptz) returns bigint language sql immutable
    set search_path = pg_catalog, pg_temp as $$
    select (extract(epoch from p_at) * 1000000)::bigint
$$;

comment on function pgjobq.micros is 'Internal. A time, as programs read it.';
