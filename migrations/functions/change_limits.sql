-- What operators set instead of the limits in the code, while workers run. It wins until it is reset, over
-- every deploy. New jobs follow at once, and waiting ones with the next admission. A number that is lowered
-- takes effect as jobs end.

-- Changes settings of a limit: `concurrency`, a number, and `rates`, pairs of a number and a window in
-- microseconds. A null in `p_values` resets one to what the code says.
create or replace function pgjobq.change_limits(
    p_scope text, p_name text, p_settings text[], p_values jsonb[], p_by text default null)
returns void language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_set jsonb;
    v_reset text[];
begin
    perform pgjobq.reject_open_transaction();
    perform pgjobq.check_limit(s.setting, s.value) from unnest(p_settings, p_values) s(setting, value);
    perform pgjobq.check_limited(p_scope, p_name);
    select coalesce(jsonb_object_agg(s.setting, jsonb_build_object(
               'value', s.value, 'by', coalesce(p_by, session_user), 'role', session_user,
               'at', clock_timestamp())) filter (where s.value is not null), '{}'),
           coalesce(array_agg(s.setting) filter (where s.value is null), '{}')
      into v_set, v_reset from unnest(p_settings, p_values) s(setting, value);
    insert into pgjobq.limits as l (scope, name, overrides)
    values (p_scope, p_name, nullif(v_set, '{}'))
    on conflict (scope, name) do update
       set overrides = nullif(coalesce(l.overrides, '{}') - v_reset || v_set, '{}');
    delete from pgjobq.limits
     where scope = p_scope and name = p_name and concurrency is null and rates is null and overrides is null;
    perform pgjobq.note_limits(), pgjobq.announce_limited('{}');
end $$;

comment on function pgjobq.change_limits is 'Internal. Changes settings of a limit.';

revoke execute on function pgjobq.change_limits from public;

-- Rejects a setting that no limit has, and a value that it cannot have.
create or replace function pgjobq.check_limit(p_setting text, p_value jsonb) returns void
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
    if (p_setting in ('concurrency', 'rates')) is not true then
        raise exception 'a limit has no setting %', quote_nullable(p_setting)
            using errcode = 'invalid_parameter_value', hint = 'There are concurrency and rate.';
    elsif p_setting = 'concurrency' and p_value is not null
          and not jsonb_path_exists(p_value, 'strict $ ? (@ >= 1 && @ <= 10000 && @ == @.floor())',
                                    silent => true) then
        raise exception 'a concurrency is 1 to 10000, not %', p_value
            using errcode = 'numeric_value_out_of_range', hint = 'To stop a kind or a queue, pause it.';
    elsif p_setting = 'rates' and p_value is not null
          and (jsonb_typeof(p_value) <> 'array' or p_value = '[]' or jsonb_path_exists(
               p_value, 'strict $[*] ? (!(@[0] >= 1 && @[0] <= 1000000 && @[1] >= 1))', silent => true)) then
        raise exception 'a rate is 1 to 1000000 jobs per second, minute, hour or day, not %', p_value
            using errcode = 'numeric_value_out_of_range';
    elsif p_setting = 'rates' and p_value is not null
          and (select count(distinct r -> 1) < count(*) from jsonb_array_elements(p_value) r) then
        raise exception '%: there is a rate for this window already', pgjobq.shown_limit('rates', p_value)
            using errcode = 'invalid_parameter_value', hint = 'Keep the lower one.';
    end if;
end $$;

comment on function pgjobq.check_limit is 'Internal. Rejects a setting that no limit can have.';

-- Rejects a queue or a kind that does not exist, and, in a database with several shards, one whose jobs lie
-- on several: those of a queue, and those of a kind whose code has no limit.
create or replace function pgjobq.check_limited(p_scope text, p_name text) returns void
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    if p_scope = 'queue' then
        if not exists (select from pgjobq.queues where name = p_name and deleted_at is null) then
            raise exception 'there is no queue %', quote_nullable(p_name)
                using errcode = 'undefined_object', hint = 'The table pgjobq.queues has their names.';
        end if;
        perform pgjobq.reject_shards(p_name);
    elsif not exists (select from pgjobq.limits where scope = 'kind' and name = p_name) then
        if not exists (select from pgjobq.kinds where kind = p_name) then
            raise exception 'no program has recorded the kind %', quote_nullable(p_name)
                using errcode = 'undefined_object', hint = 'The table pgjobq.kinds has their names.';
        elsif (select shards from pgjobq.settings) > 1 then
            raise exception 'the code of the kind % has no limit, and the database has several shards, on '
                            'which its jobs lie', quote_literal(p_name)
                using errcode = 'feature_not_supported',
                    hint = 'Write #[job(concurrency = 10)]. The number can then be changed.';
        end if;
    end if;
end $$;

comment on function pgjobq.check_limited is 'Internal. Rejects what cannot have a limit.';

-- Changes one setting of a kind, for people.
create or replace function pgjobq.change_kind_setting(
    kind text, setting text, value text, by text default null)
returns void language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    perform pgjobq.change_limits(
        'kind', change_kind_setting.kind,
        array[pgjobq.name_of_limit(change_kind_setting.setting)],
        array[pgjobq.value_of_limit(change_kind_setting.setting, change_kind_setting.value)],
        change_kind_setting.by);
end $$;

comment on function pgjobq.change_kind_setting is
    'Public. Sets what wins over the code: the `concurrency` of a kind, or its `rate`, such as `100 per '
    'minute`. Null resets it.';

-- The name of a setting of a limit, as `overrides` has it.
create or replace function pgjobq.name_of_limit(p_setting text) returns text
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
    return case when p_setting = 'rate' then 'rates' else p_setting end;
end $$;

comment on function pgjobq.name_of_limit is 'Internal. The name of a setting of a limit.';

-- The value of a setting of a limit that a person has written: a number, or rates with commas between them.
create or replace function pgjobq.value_of_limit(p_setting text, p_value text) returns jsonb
language plpgsql immutable strict set search_path = pg_catalog, pg_temp as $$
declare
    v_rates jsonb := '[]';
    v_words text[];
    v_rate text;
begin
    if p_setting <> 'rate' then
        if p_value !~ '^\s*-?\d{1,9}(\.\d{1,9})?\s*$' then
            raise exception '% is no %', quote_literal(p_value), p_setting
                using errcode = 'invalid_parameter_value', hint = 'It is a number of jobs.';
        end if;
        return to_jsonb(p_value::numeric);
    end if;
    foreach v_rate in array string_to_array(p_value, ',') loop
        v_words := regexp_match(
            v_rate, '^\s*(\d{1,7})\s+per\s+(second|minute|hour|day|\d{1,11}(?:us|ms|s))\s*$');
        if v_words is null then
            raise exception '% is no rate', quote_literal(v_rate)
                using errcode = 'invalid_parameter_value', hint = 'A rate is like 100 per minute.';
        end if;
        v_rates := v_rates || jsonb_build_array(jsonb_build_array(
            v_words[1]::int, pgjobq.microseconds(
                (case when v_words[2] ~ '^\d' then v_words[2] else '1 ' || v_words[2] end)::interval)));
    end loop;
    return v_rates;
end $$;

comment on function pgjobq.value_of_limit is 'Internal. The value of a setting that a person has written.';

-- The settings of the limit of a kind or a queue: `concurrency` and `rates`.
create or replace function pgjobq.limit_settings(p_scope text, p_name text)
returns table (setting text, by_code jsonb, by_operator jsonb, set_by text, role text, set_at timestamptz)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
    return query
    select s.setting, s.by_code, o.entry -> 'value', o.entry ->> 'by', o.entry ->> 'role',
           (o.entry ->> 'at')::timestamptz
      from (select) one
      left join pgjobq.limits l on l.scope = p_scope and l.name = p_name,
           lateral (values ('concurrency', to_jsonb(l.concurrency)), ('rates', l.rates)) s(setting, by_code),
           lateral (select l.overrides -> s.setting as entry) o;
end $$;

comment on function pgjobq.limit_settings is 'Internal. The settings of a limit.';

-- A setting of a limit as people write it.
create or replace function pgjobq.shown_limit(p_setting text, p_value jsonb) returns text
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
    if p_setting <> 'rates' then
        return p_value;
    end if;
    return (select string_agg(pgjobq.shown_rate(row((r->>0)::int, (r->>1)::bigint)), ', ' order by n)
              from jsonb_array_elements(p_value) with ordinality u(r, n));
end $$;

comment on function pgjobq.shown_limit is 'Internal. A setting of a limit as people write it.';
