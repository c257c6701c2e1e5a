-- Firing: a worker looks which schedules are due, computes their ticks, and fires them. Any worker may; the
-- row lock, the comparison and the key of `ticks` let each tick be fired once.

-- Returns the schedules that are due, the oldest first, with what their ticks are computed from, which is
-- their definition without the job: at most `p_most` behind the place of the last one before (`p_after_at`,
-- in microseconds, and `p_after`). Also returns the time until the next one is due, in microseconds, and if
-- there is any schedule at all. `now` is the time of the look: the clocks of workers do not matter.
create or replace function pgjobq.look_at_schedules(
    p_most int, p_after_at bigint default null, p_after text default null,
    out now bigint, out next_due bigint, out due jsonb, out is_any boolean)
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    v_now timestamptz;
    v_after_at timestamptz := coalesce(pgjobq.of_micros(p_after_at), '-infinity');
begin
    if p_after is null and exists (select from pgjobq.schedule_declarations) then
        perform pgjobq.follow_code();
    end if;
    -- step: code followed
    v_now := clock_timestamp();
    now := pgjobq.micros(v_now);
    is_any := exists (select from pgjobq.schedules);
    if not is_any then
        return;
    end if;
    select jsonb_agg(jsonb_build_object(
               'name', s.name, 'next_at', pgjobq.micros(s.next_at), 'version', s.version,
               'passed_to', pgjobq.micros(s.passed_to), 'definition', coalesce(s.stored, s.code) - 'job'))
      into due
      from (select * from pgjobq.schedules
             where next_at is not null and paused_at is null and next_at <= v_now
               and (next_at, name) > (v_after_at, coalesce(p_after, ''))
             order by next_at, name limit p_most) s;
    next_due := pgjobq.microseconds((select s.next_at from pgjobq.schedules s
                                      where s.next_at is not null and s.paused_at is null
                                        and s.next_at > v_now
                                      order by s.next_at limit 1) - clock_timestamp());
end $$;

comment on function pgjobq.look_at_schedules is 'Internal. Returns the schedules that are due.';

-- Fires ticks of a schedule, if no other session has fired or changed it since the look: enqueues a job for
-- each, and moves it on to its next tick. `p_missed` is the last tick that will never be fired, and `p_why`
-- says why. Times are microseconds since 1970. `fired` is the number of jobs, null if others were faster;
-- `missed` says of the last tick that was fired without a job why it has none.
--
-- An enqueue waits for a transaction that holds its unique key. A long wait is an error, so that the worker
-- fires other schedules and then tries this one again.
create or replace function pgjobq.fire_schedule(
    p_name text, p_version bigint, p_passed_to bigint, p_ticks bigint[], p_missed bigint, p_why text,
    p_now bigint, p_next bigint, out fired int, out missed text)
language plpgsql set lock_timeout = '250ms' set search_path = pg_catalog, pg_temp as $$
declare
    s pgjobq.schedules;
    v_tick timestamptz;
    v_done record;
begin
    -- A schedule that others have fired or changed is not locked, so a try in vain writes nothing.
    select * into s from pgjobq.schedules
     where name = p_name and version = p_version and pgjobq.micros(passed_to) = p_passed_to
       and paused_at is null and stopped_at is null
       for update skip locked;
    -- step: schedule locked
    if s.name is null then
        return;
    end if;
    fired := 0;
    s.passed_to := greatest(s.passed_to, pgjobq.of_micros(p_now));
    if p_missed is not null then
        s.last_missed := pgjobq.of_micros(p_missed);
        s.last_missed_why := p_why;
    end if;
    foreach v_tick in array array(select pgjobq.of_micros(t) from unnest(p_ticks) t order by t) loop
        select * into v_done from pgjobq.fire_tick(s, v_tick);
        continue when not v_done.is_new;
        if v_done.problem is null then
            s.last_tick := v_tick; s.last_job := v_done.job; s.last_fired_at := clock_timestamp();
            fired := fired + 1;
        else
            missed := v_done.problem; s.last_missed := v_tick; s.last_missed_why := missed;
        end if;
    end loop;
    -- step: ticks fired
    update pgjobq.schedules
       set passed_to = s.passed_to, next_at = pgjobq.of_micros(p_next), is_seen = true,
           last_tick = s.last_tick, last_job = s.last_job, last_fired_at = s.last_fired_at,
           last_missed = s.last_missed, last_missed_why = s.last_missed_why
     where name = p_name;
    -- No tick up to `passed_to` is fired again, so these rows are not needed. People see the last ones.
    delete from pgjobq.ticks
     where schedule = p_name
       and tick < (select t.tick from pgjobq.ticks t
                    where t.schedule = p_name order by t.tick desc offset 19 limit 1);
end $$;

comment on function pgjobq.fire_schedule is 'Internal. Fires ticks of a schedule.';

-- Fires one tick of a schedule whose row is locked. `is_new` is false if it has been fired before; `problem`
-- says why it has no job. The job of the tick before is cancelled only if this one has a job.
create or replace function pgjobq.fire_tick(
    s pgjobq.schedules, p_tick timestamptz, out is_new boolean, out job uuid, out problem text)
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    c_definition constant jsonb := coalesce(s.stored, s.code);
    c_overlap constant text := c_definition ->> 'overlap';
begin
    insert into pgjobq.ticks (schedule, tick) values (s.name, p_tick) on conflict do nothing;
    is_new := found;
    if not is_new then
        return;
    elsif c_overlap = 'skip' and pgjobq.is_live(s.last_job) then
        problem := format('the job %s of the tick before has not ended', s.last_job);
        return;
    end if;
    select e.job, e.problem into job, problem
      from pgjobq.enqueue_tick(s.name, c_definition, p_tick) e;
    if c_overlap = 'cancel_running' and job is not null and pgjobq.is_live(s.last_job) then
        perform pgjobq.cancel(s.last_job, format('the next tick of the schedule `%s` came', s.name));
    end if;
    update pgjobq.ticks t set job = fire_tick.job where t.schedule = s.name and t.tick = p_tick;
end $$;

comment on function pgjobq.fire_tick is 'Internal. Fires one tick of a schedule.';

-- Whether a job has not ended. One probe of its row; false for null.
create or replace function pgjobq.is_live(p_job uuid) returns boolean language plpgsql stable
    set search_path = pg_catalog, pg_temp as $$
begin
    return p_job is not null and exists (
        select from pgjobq.job_row(pgjobq.shard_of(p_job, (select shards from pgjobq.settings)), p_job));
end $$;

comment on function pgjobq.is_live is 'Internal. Whether a job has not ended.';

-- Enqueues the job of a tick, or answers why it cannot be. What the definition does not say follows from what
-- programs have recorded of the kind, as with `enqueue`. An error that will pass is raised, so that the tick
-- is tried again; any other would return with each try, and the schedule would never fire again.
create or replace function pgjobq.enqueue_tick(
    p_schedule text, p_definition jsonb, p_tick timestamptz, out job uuid, out problem text)
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    v_code text;
begin
    select e.job, e.problem into job, problem
      from pgjobq.enqueue_scheduled(p_schedule, p_definition -> 'job', p_tick,
                                    pgjobq.jittered_tick(p_schedule, p_tick, p_definition)) e;
exception when others then
    get stacked diagnostics v_code = returned_sqlstate, problem = message_text;
    if left(v_code, 2) in ('08', '40', '53', '55', '57', '58') then
        raise;
    end if;
    job := null;
end $$;

comment on function pgjobq.enqueue_tick is
    'Internal. Enqueues the job of a tick, or answers why it cannot be.';

-- When the job of a tick may start, in microseconds since 1970: at the tick, or up to `jitter` later. It is
-- the same in each try, because it follows from the schedule and the tick. Null without jitter.
create or replace function pgjobq.jittered_tick(p_schedule text, p_tick timestamptz, p_definition jsonb)
returns bigint language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
    v_jitter bigint := (p_definition ->> 'jitter')::bigint;
begin
    return pgjobq.micros(p_tick)
           + (hashtextextended(p_schedule || ' ' || pgjobq.micros(p_tick), 0) & 9223372036854775807)
             % v_jitter;
end $$;

comment on function pgjobq.jittered_tick is 'Internal. When the job of a tick may start, with its jitter.';

-- Enqueues a job of a schedule. `p_at` is null if it may start now. Before a program has recorded the kind,
-- the policy of the program holds that has set the schedule. A key or a unique key in the definition is not
-- computed again, also if it is null: only the job's code may know that there is none.
create or replace function pgjobq.enqueue_scheduled(
    p_schedule text, p_job jsonb, p_tick timestamptz, p_at bigint, out job uuid, out problem text)
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    v_kind pgjobq.kinds := pgjobq.recorded_kind(p_job ->> 'kind');
    v_queue text;
    v_meta jsonb := pgjobq.with_version(jsonb_strip_nulls(jsonb_build_object(
        'schedule', p_schedule, 'tick', pgjobq.micros(p_tick))), p_job -> 'version', p_job -> 'redact');
    v_own record;
    v_answer record;
begin
    if v_kind.queue is null then
        v_kind := jsonb_populate_record(v_kind, p_job -> 'policy');
    end if;
    v_queue := coalesce(p_job ->> 'queue', v_kind.queue, 'default');
    v_kind.computed := (select jsonb_object_agg(c.version, c.rules - array(select jsonb_object_keys(p_job)))
                          from jsonb_each(v_kind.computed) c(version, rules));
    select * into v_own from pgjobq.compute(
        v_kind, v_queue, p_job -> 'args', coalesce((p_job ->> 'version')::int, 1), null, p_job ->> 'key',
        p_job ->> 'unique', (p_job ->> 'weight')::int, p_job ->> 'on_conflict', p_job ->> 'unique_while',
        p_job ->> 'on_duplicate', coalesce((p_job ->> 'unique_is_secret')::boolean, false));
    select * into v_answer from pgjobq.enqueue_many(
        array[v_kind.kind], array[v_queue],
        array[coalesce((p_job ->> 'priority')::int, v_kind.priority, 1)::smallint],
        array[coalesce((p_job ->> 'retries')::int, v_kind.retries, 20)::smallint],
        array[coalesce((p_job ->> 'max_crashes')::int, v_kind.max_crashes, 3)::smallint],
        array[v_own.job], array[1], array[p_job ->> 'args'], array[v_meta::text],
        array[p_job ->> 'attributes'], array[v_own.key], null, nullif(array[p_at], '{null}'),
        array[(p_job ->> 'expires')::bigint
              + coalesce(greatest(p_at - pgjobq.micros(clock_timestamp()), 0), 0)], true, null,
        p_weight => array[v_own.weight], p_unique_key => nullif(array[v_own.unique_key], '{null}'),
        p_shape_options => array[v_own.options]);
    perform pgjobq.reject_answer(v_kind.kind, v_queue, v_own.job, v_answer.unknown, v_answer.other_kind,
                                 v_answer.misplaced, v_answer."full" -> v_queue);
    if v_answer.inserted = 1 then
        job := v_own.job;
    elsif v_answer."full" is not null then
        problem := format('the queue `%s` is full, and drops new jobs', v_queue);
    else
        problem := format('the job %s has its unique key', coalesce(v_answer.held->0->>1, 'before'));
    end if;
end $$;

comment on function pgjobq.enqueue_scheduled is 'Internal. Enqueues a job of a schedule.';

-- Enqueues a job of a schedule now, whether it is paused or not. Its ticks do not move. A problem is an error
-- here.
create or replace function pgjobq.run_schedule(name text) returns uuid language plpgsql
    set search_path = pg_catalog, pg_temp as $$
declare
    v_definition jsonb := (select coalesce(s.stored, s.code) from pgjobq.schedules s
                            where s.name = run_schedule.name);
    v_done record;
begin
    if v_definition is null then
        return null;
    end if;
    select * into v_done from pgjobq.enqueue_scheduled(run_schedule.name, v_definition -> 'job', null, null);
    if v_done.problem is not null then
        raise exception 'no job was enqueued: %', v_done.problem using errcode = 'PJ022';
    end if;
    return v_done.job;
end $$;

comment on function pgjobq.run_schedule is
    'Public. Enqueues a job of a schedule now; its ticks stay. Returns the job, or null if there is no such '
    'schedule.';

-- A time as programs say it.
create or replace function pgjobq.of_micros(p_micros bigint) returns timestamptz language sql immutable
    set search_path = pg_catalog, pg_temp as $$
    select timestamptz 'epoch' + p_micros * interval '1 microsecond'
$$;

comment on function pgjobq.of_micros is 'Internal. A time that a program says.';
