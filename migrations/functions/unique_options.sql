-- The words with which an enqueue from SQL says how long a job is the only one with its unique key, and what
-- a second one changes. They are those of `#[job]`.

-- The options of a unique job: those of its kind, and what the call says instead.
create or replace function pgjobq.unique_options(p_of_kind jsonb, p_while text, p_answer text) returns jsonb
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    v_options jsonb := coalesce(p_of_kind, '{}');
begin
    if p_while is not null then
        v_options := v_options - array['unique', 'unique_for'];
        if p_while = 'waiting' then
            v_options := v_options || '{"unique": "waiting"}';
        elsif p_while <> 'live' then
            v_options := v_options || jsonb_build_object('unique', 'time', 'unique_for',
                pgjobq.unique_time(
                    p_while, 'time of a unique job', 'live, waiting, or a time, such as 1 hour'));
        end if;
    end if;
    if p_answer is not null then
        v_options := v_options - array['duplicate', 'debounce'];
        if p_answer in ('replace', 'replace_args', 'replace_run_at') then
            v_options := v_options || jsonb_build_object('duplicate', p_answer);
        elsif p_answer <> 'keep' then
            v_options := v_options || jsonb_build_object('duplicate', 'debounce', 'debounce',
                pgjobq.unique_time(
                    case when p_answer like 'debounce %' then substr(p_answer, 10) else p_answer end,
                    'answer to a duplicate',
                    'keep, replace, replace_args, replace_run_at, and debounce with a time: debounce 5s',
                    p_answer));
        end if;
    end if;
    return v_options;
end $$;

comment on function pgjobq.unique_options is 'Internal. The options of a unique job.';

-- A time in microseconds, of more than zero and at most 366 days. `p_what` is what it should be, `p_words` is
-- what may be written instead, and `p_whole` what was written.
create or replace function pgjobq.unique_time(
    p_time text, p_what text, p_words text, p_whole text default null)
returns bigint language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    v_time bigint;
begin
    if p_whole is null or p_whole like 'debounce %' then
        begin
            v_time := pgjobq.microseconds(p_time::interval);
        exception when invalid_datetime_format or datetime_field_overflow or interval_field_overflow then
            null;
        end;
    end if;
    if v_time is null then
        raise exception '% is no %', quote_literal(coalesce(p_whole, p_time)), p_what
            using errcode = 'invalid_parameter_value', hint = 'There are ' || p_words || '.';
    elsif v_time not between 1 and 366 * 86400000000::bigint then
        raise exception 'the time % is out of range', quote_literal(p_time)
            using errcode = 'invalid_parameter_value', hint = 'Write one from 1 microsecond to 366 days.';
    end if;
    return v_time;
end $$;

comment on function pgjobq.unique_time is 'Internal. A time of a unique job in microseconds.';
