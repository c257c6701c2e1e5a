-- The failed attempts of a job, oldest first: the first ten and the last hundred, because an array of all of
-- them can be larger than PostgreSQL admits. `p_last` is one more, which is not in the table.
create or replace function pgjobq.errors_of(p_shard smallint, p_job uuid, p_last jsonb)
returns jsonb language plpgsql stable as $$
declare
    v_early int := 2147483647;
    v_late int := 0;
    v_between bigint := 0;
begin
    perform from pgjobq.failures where shard = p_shard and job = p_job offset 110 limit 1;
    if found then
        select b.early, b.late into v_early, v_late from pgjobq.left_out_between(p_shard, p_job) b;
        v_between := (select count(*) + coalesce(sum(left_out), 0) from pgjobq.failures
                       where shard = p_shard and job = p_job and attempt > v_early and attempt < v_late);
    end if;
    return coalesce((select jsonb_agg(pgjobq.error_entry(attempt, at, reason, left(message, 10000),
                                                         left(worker, 1000),
                                                         left_out + case attempt when v_late
                                                                    then v_between else 0 end)
                                      order by attempt)
                       from pgjobq.failures
                      where shard = p_shard and job = p_job
                        and (attempt <= v_early or attempt >= v_late)), '[]')
           || case when p_last is null then '[]' else jsonb_build_array(p_last) end;
end $$;

comment on function pgjobq.errors_of is
    'Internal. The failed attempts of a job, as `finished.errors` has them.';

-- One failed attempt, as `finished.errors` has it, and how many before it were left out.
create or replace function pgjobq.error_entry(
    p_attempt int, p_at timestamptz, p_reason text, p_message text, p_worker text,
    p_left_out bigint default 0)
returns jsonb language plpgsql stable as $$
begin
    return jsonb_build_object('attempt', p_attempt, 'at', p_at, 'reason', p_reason, 'message', p_message,
                              'worker', p_worker)
           || case when p_left_out > 0 then jsonb_build_object('left_out', p_left_out) else '{}' end;
end $$;

comment on function pgjobq.error_entry is 'Internal. One failed attempt, as `finished.errors` has it.';

-- The attempts between which failures are left out: the tenth that failed, and the hundredth from the end.
-- None are left out unless `late` is greater than `early`.
create or replace function pgjobq.left_out_between(p_shard smallint, p_job uuid, out early int, out late int)
language plpgsql stable as $$
begin
    early := coalesce((select attempt from pgjobq.failures where shard = p_shard and job = p_job
                        order by attempt offset 9 limit 1), 2147483647);
    late := coalesce((select attempt from pgjobq.failures where shard = p_shard and job = p_job
                       order by attempt desc offset 99 limit 1), 0);
end $$;

comment on function pgjobq.left_out_between is
    'Internal. Finds the attempts between which failures are left out.';

-- Deletes, of each of these jobs, the failures between the first ten and the last hundred, and records how
-- many they were.
create or replace function pgjobq.leave_out_failures(p_shard smallint, p_jobs uuid[])
returns void language plpgsql as $$
declare
    v_job uuid;
    v_early int;
    v_late int;
    v_count bigint;
begin
    foreach v_job in array p_jobs loop
        select b.early, b.late into v_early, v_late from pgjobq.left_out_between(p_shard, v_job) b;
        with gone as (
            delete from pgjobq.failures
             where shard = p_shard and job = v_job and attempt > v_early and attempt < v_late
            returning left_out)
        select count(*) + coalesce(sum(left_out), 0) into v_count from gone;
        if v_count > 0 then
            update pgjobq.failures set left_out = left_out + v_count
             where shard = p_shard and job = v_job and attempt = v_late;
        end if;
    end loop;
end $$;

comment on function pgjobq.leave_out_failures is
    'Internal. Deletes failed attempts between the first ten and the last hundred.';

-- Deletes the failed attempts of jobs. One statement for each job: joined with an array, the few rows of each
-- job were found by reading all failures, where the table was analysed with one row.
create or replace function pgjobq.forget_failures(p_shard smallint, p_jobs uuid[])
returns void language plpgsql as $$
declare
    v_job uuid;
begin
    foreach v_job in array p_jobs loop
        delete from pgjobq.failures where shard = p_shard and job = v_job;
    end loop;
end $$;

comment on function pgjobq.forget_failures is 'Internal. Deletes the failed attempts of jobs.';

-- The crashes that still count after an attempt that ended by itself: none, if ten attempts since the last
-- crash have. A job that crashes its worker now and then, and fails or snoozes in between, crashes more often
-- than that, and comes to its end. Released attempts show nothing, so those of a quarantined job are
-- recorded, and do not count.
create or replace function pgjobq.crashes_left(
    p_shard smallint, p_job uuid, p_attempts int, p_crashes smallint)
returns smallint
language plpgsql stable as $$
declare
    v_crash int := coalesce((select attempt from pgjobq.failures
                              where shard = p_shard and job = p_job and reason = 'crash'
                              order by attempt desc limit 1), 0);
begin
    return case when p_attempts::bigint + 1 - v_crash - (select count(*) from pgjobq.failures
                                                          where shard = p_shard and job = p_job
                                                            and reason = 'release'
                                                            and attempt > v_crash) >= 10
                then 0 else p_crashes end;
end $$;

comment on function pgjobq.crashes_left is 'Internal. Counts the crashes that still count after an attempt.';

-- Failed attempts as a client reads them, with times in microseconds since 1970. Null if a person has edited
-- them into nonsense.
create or replace function pgjobq.readable(p_errors jsonb) returns text language plpgsql stable
    set search_path = pg_catalog, pg_temp as $$
begin
    return (select jsonb_agg(e || jsonb_build_object(
                                 'at', (extract(epoch from (e->>'at')::timestamptz) * 1000000)::bigint)
                             order by n)::text
              from jsonb_array_elements(p_errors) with ordinality x(e, n));
exception when data_exception then
    return null;
end $$;

comment on function pgjobq.readable is 'Internal. Failed attempts, as a client reads them.';
