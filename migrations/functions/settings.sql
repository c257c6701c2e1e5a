-- The settings of queues: what the code says, and what an operator has set instead. Programs write the first
-- (`save_queue`), and only this file the second, so that no deploy undoes it. Workers follow at the next
-- notification or heartbeat.

-- Changes settings of a queue. A null in `p_values` resets one to what the code says. Only the owner may
-- write `overrides`, so that its `role` is true, and each value one that can be read.
create or replace function pgjobq.change_settings(
    p_queue text, p_settings text[], p_values bigint[], p_by text default null)
returns void language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_set jsonb;
    v_reset text[];
begin
    perform pgjobq.reject_open_transaction();
    perform pgjobq.check_setting(s.setting, s.value) from unnest(p_settings, p_values) s(setting, value);
    select jsonb_object_agg(setting, jsonb_build_object(
               'value', case when setting = 'when_full' then to_jsonb((pgjobq.full_policies())[value])
                             else to_jsonb(value) end,
               'by', coalesce(p_by, session_user), 'role', session_user,
               'at', clock_timestamp())) filter (where value is not null),
           array_agg(setting) filter (where value is null)
      into v_set, v_reset from unnest(p_settings, p_values) s(setting, value);
    update pgjobq.queues
       set overrides = nullif(
               coalesce(overrides, '{}') - coalesce(v_reset, '{}') || coalesce(v_set, '{}'), '{}')
     where name = p_queue and deleted_at is null;
    if not found then
        raise exception 'there is no queue %', quote_nullable(p_queue)
            using errcode = 'undefined_object', hint = 'The table pgjobq.queues has their names.';
    end if;
    perform pgjobq.fit_room(id) from pgjobq.queues where name = p_queue and 'bound' = any (p_settings);
    update pgjobq.settings set changes = changes + 1;
    perform pg_notify(pgjobq.channel(), 'queues changed');
end $$;

comment on function pgjobq.change_settings is 'Internal. Changes settings of a queue.';

revoke execute on function pgjobq.change_settings from public;

-- Rejects a setting that no queue has, and a value that it cannot have.
create or replace function pgjobq.check_setting(p_setting text, p_value bigint) returns void
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
    if (p_setting in ('limit', 'bound', 'when_full', 'ageing', 'keep_completed', 'keep_dead',
                      'keep_cancelled', 'keep_expired')) is not true
    then
        raise exception 'a queue has no setting %', quote_nullable(p_setting)
            using errcode = 'invalid_parameter_value',
                hint = 'There are limit, concurrency, rate, bound, when_full, ageing, keep_completed, '
                       'keep_dead, keep_cancelled and keep_expired.';
    elsif p_setting = 'when_full' and p_value not between 1 and 4 then
        raise exception 'there is no policy % of a full queue', p_value
            using errcode = 'numeric_value_out_of_range';
    elsif p_setting in ('limit', 'bound') and p_value not between 1 and 1000000 then
        raise exception 'a % is 1 to 1000000, not %', p_setting, p_value
            using errcode = 'numeric_value_out_of_range', hint = 'To stop a queue, pause it.';
    elsif p_setting = 'ageing' and p_value <> 0 and p_value not between 1000000 and 31622400000000 then
        raise exception 'a job moves up after one second to 366 days, not after %',
            p_value * interval '1 microsecond'
            using errcode = 'numeric_value_out_of_range', hint = 'To turn ageing off, write 0.';
    elsif p_setting like 'keep%' and p_value not between 60000000 and 316224000000000 then
        raise exception 'ended jobs are kept from one minute to 3660 days, not for %',
            p_value * interval '1 microsecond'
            using errcode = 'numeric_value_out_of_range';
    end if;
end $$;

comment on function pgjobq.check_setting is 'Internal. Rejects a setting that no queue can have.';

-- Changes one setting of a queue, for people: a limit, a concurrency or a bound is a number, a rate is as
-- `value_of_limit` reads it, `when_full` a word, and any other one is an interval.
create or replace function pgjobq.change_setting(
    queue text, setting text, value text, by text default null)
returns void language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if change_setting.setting in ('concurrency', 'rate') then
        perform pgjobq.change_limits(
            'queue', change_setting.queue, array[pgjobq.name_of_limit(change_setting.setting)],
            array[pgjobq.value_of_limit(change_setting.setting, change_setting.value)], change_setting.by);
        return;
    end if;
    perform pgjobq.change_settings(
        change_setting.queue, array[change_setting.setting],
        array[pgjobq.value_of_setting(change_setting.setting, change_setting.value)], change_setting.by);
end $$;

comment on function pgjobq.change_setting is
    'Public. Sets what wins over the code: the `limit` of a queue in each worker, its `concurrency` or its '
    '`rate` (`100 per minute`) in all of them, its `bound`, what an enqueue does when it is full '
    '(`when_full`: wait, reject, drop_oldest, drop_new), how long its jobs are kept (`keep_completed`, '
    '`keep_dead`, `keep_cancelled`, `keep_expired`), or after how long those that wait move up one priority '
    '(`ageing`; 0: never). Null resets it.';

-- The value of a setting that a person has written.
create or replace function pgjobq.value_of_setting(p_setting text, p_value text) returns bigint
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
    perform pgjobq.check_setting(p_setting, null);
    if p_setting = 'when_full' then
        if (p_value = any (pgjobq.full_policies())) is false then
            raise exception '% is no policy of a full queue', quote_literal(p_value)
                using errcode = 'invalid_parameter_value',
                    hint = 'There are ' || array_to_string(pgjobq.full_policies(), ', ') || '.';
        end if;
        return array_position(pgjobq.full_policies(), p_value);
    end if;
    return case when p_setting in ('limit', 'bound') then p_value::bigint
                else pgjobq.microseconds(p_value::interval) end;
exception when invalid_text_representation or invalid_datetime_format or datetime_field_overflow then
    raise exception '% is no value of the setting %', quote_literal(p_value), p_setting
        using errcode = 'invalid_parameter_value',
            hint = 'limit and bound are numbers of jobs, when_full is a word; the others are times, such as '
                   '2 days.';
end $$;

comment on function pgjobq.value_of_setting is 'Internal. The value of a setting that a person has written.';

-- What an enqueue may do when its queue is full. As a number, a policy is its place here.
create or replace function pgjobq.full_policies() returns text[]
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
    return '{wait,reject,drop_oldest,drop_new}';
end $$;

comment on function pgjobq.full_policies is 'Internal. What an enqueue may do when its queue is full.';

-- The settings of a queue. A limit or a bound is a number of jobs, `when_full` is that of a policy, and any
-- other one a time in microseconds.
create or replace function pgjobq.settings_of(p_queue int)
returns table (setting text, by_code bigint, by_operator bigint, set_by text, role text, set_at timestamptz)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
    return query
    select s.setting, s.by_code,
           case when s.setting = 'when_full'
                then array_position(pgjobq.full_policies(), o.entry ->> 'value')::bigint
                else (o.entry ->> 'value')::bigint end,
           o.entry ->> 'by', o.entry ->> 'role', (o.entry ->> 'at')::timestamptz
      from pgjobq.queues q,
           lateral (values ('limit', q.slots::bigint), ('bound', q.bound::bigint),
                           ('when_full', array_position(pgjobq.full_policies(), q.when_full)::bigint)
                    union all
                    select 'ageing', pgjobq.microseconds(q.ageing)
                    union all
                    select 'keep_' || k.outcome,
                           pgjobq.microseconds(coalesce(k.keep, pgjobq.default_keep(k.outcome)))
                      from unnest('{completed,dead,cancelled,expired}'::text[],
                                  array[q.keep_completed, q.keep_dead, q.keep_cancelled, q.keep_expired])
                           k(outcome, keep)) s(setting, by_code),
           lateral (select q.overrides -> s.setting as entry) o
     where q.id = p_queue;
end $$;

comment on function pgjobq.settings_of is 'Internal. The settings of a queue.';

-- An interval as a number.
create or replace function pgjobq.microseconds(p_interval interval) returns bigint
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
    return (extract(epoch from p_interval) * 1000000)::bigint;
end $$;

comment on function pgjobq.microseconds is 'Internal. An interval as a number of microseconds.';

-- A setting as people write it.
create or replace function pgjobq.shown_setting(p_setting text, p_value bigint) returns text
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    return case when p_setting in ('limit', 'bound') then p_value::text
                when p_setting = 'when_full' then (pgjobq.full_policies())[p_value]
                else justify_hours(p_value * interval '1 microsecond')::text end;
end $$;

comment on function pgjobq.shown_setting is 'Internal. A setting as people write it.';
