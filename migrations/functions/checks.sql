-- The checks of `enqueue`. Each raises an error if no job can have the value.

-- Rejects a kind that no job can have.
create or replace function pgjobq.check_kind(p_kind text) returns void language plpgsql immutable
    set search_path = pg_catalog, pg_temp as $$
begin
    if coalesce(p_kind, '') !~ '^[A-Za-z0-9_.:/-]{1,100}$' then
        raise exception 'a kind is 1 to 100 letters, digits, and _ . : / -, but this one is %',
            quote_nullable(p_kind)
            using errcode = 'invalid_parameter_value';
    end if;
end $$;

comment on function pgjobq.check_kind is 'Internal. Rejects a kind that no job can have.';

-- Rejects arguments that no job can have.
create or replace function pgjobq.check_args(p_args jsonb) returns void language plpgsql immutable
    set search_path = pg_catalog, pg_temp as $$
declare
    c_hint constant text := 'Write a JSON object with the job function''s arguments by name, '
                            'such as {"user_id": 7}.';
    v_bytes int := octet_length(p_args::text);
begin
    if p_args is null then
        raise exception 'the arguments of a job are null' using errcode = 'null_value_not_allowed',
            hint = 'Leave them out, or pass a JSON object with the job function''s arguments by name.';
    elsif jsonb_typeof(p_args) <> 'object' then
        raise exception 'the arguments of a job must be a JSON object, but these are %: %',
            case jsonb_typeof(p_args) when 'array' then 'an array' when 'null' then 'the JSON null'
                                      else 'a ' || jsonb_typeof(p_args) end,
            left(p_args::text, 100)
            using errcode = 'invalid_parameter_value', hint = c_hint;
    elsif v_bytes > 1048576 then
        raise exception 'the arguments of a job are % bytes, more than 1 MiB', v_bytes
            using errcode = 'program_limit_exceeded',
                hint = 'Store them in a table or a bucket, and enqueue their key.';
    -- Shorter arguments cannot nest deeper: each level has two brackets.
    elsif v_bytes > 254 and jsonb_path_exists(
            p_args, 'strict $.**{127} ? (@.type() == "array" || @.type() == "object")', silent => true) then
        raise exception 'the arguments of a job are nested deeper than 127 arrays and objects'
            using errcode = 'program_limit_exceeded', hint = 'Flatten them, or send them as text.';
    end if;
end $$;

comment on function pgjobq.check_args is 'Internal. Rejects arguments that no job can have.';

-- Returns the time at which the job comes due, or null if it has neither `run_at` nor a delay. Rejects times
-- that no job can have.
create or replace function pgjobq.resolve_run_at(
    p_run_at timestamptz, p_delay interval, p_expires_in interval)
returns timestamptz language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    v_now timestamptz := clock_timestamp();
    v_at timestamptz;
begin
    if p_delay > interval '100 years' or (isfinite(p_run_at) and p_run_at > v_now + interval '100 years') then
        raise exception 'a job cannot run in more than a hundred years: at %',
            coalesce('now + ' || p_delay::text, p_run_at::text)
            using errcode = 'datetime_field_overflow',
                hint = 'A run_at or a delay is at most 100 years ahead. Check its unit.';
    end if;
    v_at := coalesce(v_now + p_delay, p_run_at);
    if not isfinite(v_at) then
        raise exception 'a job cannot run at %', v_at
            using errcode = 'datetime_field_overflow', hint = 'Write a finite time.';
    elsif p_expires_in <= '0' or p_expires_in >= '100 years' then
        raise exception 'a job cannot expire in %', p_expires_in
            using errcode = 'datetime_field_overflow',
                hint = 'Write an interval of more than 0 and less than 100 years.';
    elsif v_at >= v_now + p_expires_in then
        raise exception 'a job that expires in % and runs at % would never run', p_expires_in, v_at
            using errcode = 'datetime_field_overflow',
                hint = 'Write an expires_in that ends after the job comes due.';
    end if;
    return v_at;
end $$;

comment on function pgjobq.resolve_run_at is
    'Internal. Returns the time at which a job comes due. Rejects times that no job can have.';

-- Rejects a priority, retries or max_crashes that no job can have.
create or replace function pgjobq.check_numbers(p_priority int, p_retries int, p_max_crashes int) returns void
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
    if coalesce(p_priority, 0) not between 0 and 3 then
        raise exception 'a priority is 0 (low), 1 (normal), 2 (high) or 3 (critical), not %', p_priority
            using errcode = 'invalid_parameter_value';
    elsif coalesce(p_retries, 0) not between 0 and 32767
          or coalesce(p_max_crashes, 0) not between 0 and 32767 then
        raise exception '`retries` and `max_crashes` are 0 to 32767'
            using errcode = 'invalid_parameter_value';
    end if;
end $$;

comment on function pgjobq.check_numbers is
    'Internal. Rejects a priority, retries or max_crashes that no job can have.';

-- Rejects a transaction that was open before this message came: the function that calls this locks rows that
-- others need until the transaction ends, and a caller that forgets to commit would stop them. That also
-- rejects the extended protocol (prepared statements, parameters), in which each message has a time of its
-- own.
create or replace function pgjobq.reject_open_transaction(p_hint text default null) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if transaction_timestamp() <> statement_timestamp() then
        raise exception '%', 'this locks rows that workers need until the transaction ends, so it must be '
                             'called in a transaction of its own, in one simple query'
            using errcode = 'active_sql_transaction',
                  hint = coalesce(p_hint, 'Call it outside of a transaction, without parameters.');
    end if;
end $$;

comment on function pgjobq.reject_open_transaction is
    'Internal. Rejects a transaction that was open before this message.';

-- Rejects attributes that no job can have. They are flat, because a filter compares single values.
create or replace function pgjobq.check_attributes(p_attributes jsonb) returns void language plpgsql immutable
    strict set search_path = pg_catalog, pg_temp as $$
declare
    c_hint constant text := 'Write an object of names and plain values, such as {"tenant": 42}.';
    c_least_huge constant numeric := 1e308 * 10;    -- every float of 64 bits is below
    c_decimals constant int := 400;
    v_name text;
    v_value jsonb;
begin
    if jsonb_typeof(p_attributes) <> 'object' then
        raise exception 'the attributes of a job must be a JSON object, but these are %',
            left(p_attributes::text, 100)
            using errcode = 'invalid_parameter_value', hint = c_hint;
    elsif pg_column_size(p_attributes) >= 8192 then
        raise exception 'the attributes of a job are % bytes, more than 8 KiB', pg_column_size(p_attributes)
            using errcode = 'program_limit_exceeded', hint = 'Keep what is not filtered by in the arguments.';
    end if;
    for v_name, v_value in select * from jsonb_each(p_attributes) loop
        if length(v_name) not between 1 and 100 then
            raise exception 'the name of an attribute has 1 to 100 characters, not %: %',
                length(v_name), quote_literal(left(v_name, 100))
                using errcode = 'invalid_parameter_value';
        elsif jsonb_typeof(v_value) in ('array', 'object') then
            raise exception 'the attribute % is not one plain value: %', quote_ident(v_name),
                left(v_value::text, 100)
                using errcode = 'invalid_parameter_value', hint = c_hint;
        elsif jsonb_typeof(v_value) = 'number' and (abs(v_value::numeric) >= c_least_huge
                                                    or scale(v_value::numeric) > c_decimals) then
            -- A number of 20 bytes, such as 1e131071, is printed with as many digits wherever it is listed.
            raise exception 'the attribute % is a number with more than 309 digits, or more than % decimal '
                            'places', quote_ident(v_name), c_decimals
                using errcode = 'numeric_value_out_of_range', hint = 'Write it as a text, or round it.';
        end if;
    end loop;
end $$;

comment on function pgjobq.check_attributes is 'Internal. Rejects attributes that no job can have.';

-- Rejects a key that no job can have.
create or replace function pgjobq.check_key(p_key text) returns void language plpgsql immutable
    strict set search_path = pg_catalog, pg_temp as $$
begin
    if length(p_key) not between 1 and 200 then
        raise exception 'the key of a job has 1 to 200 characters, not %', length(p_key)
            using errcode = 'invalid_parameter_value';
    end if;
end $$;

comment on function pgjobq.check_key is 'Internal. Rejects a key that no job can have.';

-- Rejects a unique key, a weight, and an answer to a full limit that no job can have.
create or replace function pgjobq.check_limits(p_unique_key text, p_weight int, p_on_conflict text)
returns void language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
    if p_unique_key = '' then
        raise exception 'a unique key has at least one character' using errcode = 'invalid_parameter_value';
    elsif p_weight not between 1 and 1000000 then
        raise exception 'a weight is 1 to 1000000, not %', p_weight
            using errcode = 'invalid_parameter_value';
    elsif p_on_conflict not in ('wait', 'drop', 'cancel_waiting', 'cancel_running') then
        raise exception 'there is no answer % to a conflict', quote_literal(p_on_conflict)
            using errcode = 'invalid_parameter_value',
                hint = 'There are wait, drop, cancel_waiting and cancel_running.';
    end if;
end $$;

comment on function pgjobq.check_limits is
    'Internal. Rejects a unique key, a weight, and an answer to a full limit that no job can have.';
