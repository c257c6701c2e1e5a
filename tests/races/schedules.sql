-- The stage of schedules for the runner, and what must hold after two operations. The schedule `s` has one tick that is due, at noon.
-- Its next one is thousands of years away, and says of which definition it is.

create function races.noon() returns timestamptz language sql immutable as $$ select timestamptz '2001-01-04 12:00Z' $$;

create function races.definition(p_text text) returns jsonb language sql immutable as $$
    select jsonb_build_object('text', p_text, 'timezone', 'UTC', 'missed', 'skip', 'overlap', 'allow',
                              'job', '{"kind": "k", "args": {}}'::jsonb)
$$;

create function races.next_of(p_text text) returns timestamptz language sql immutable as $$
    select case p_text when 'code' then timestamptz '9001-01-01Z' when 'newer code' then '9002-01-01Z'
                       when 'stored' then '9003-01-01Z' else '9004-01-01Z' end
$$;

-- The stage is of several words. `stored`: the schedule is stored. Otherwise it is in the code. Live workers have its text
-- `code`, or `newer code` since a deploy under way; they have only `newer code`, and nobody has looked since a worker left
-- that had it (`declared`); or the schedule has stopped, because none of them has it any more (`gone`).
create function races.reset_schedules(p_stage text) returns void language plpgsql as $$
declare
    v_is_stored boolean := p_stage like 'stored%';
    v_is_paused boolean := p_stage like '%paused';
    v_code text := case when p_stage in ('declared', 'gone') then 'newer code' else 'code' end;
begin
    perform races.reset(false, '{}', '{}');
    delete from pgjobq.schedules;
    delete from pgjobq.ticks;
    delete from pgjobq.schedule_declarations;
    insert into pgjobq.schedules (name, kind, code, digest, stored, passed_to, next_at, is_seen, paused_at, set_by, stopped_at)
    values ('s', 'k', case when not v_is_stored then races.definition(v_code) end, case when not v_is_stored then v_code end,
            case when v_is_stored then races.definition('stored') end, races.noon() - interval '1 minute',
            case when p_stage <> 'gone' then races.noon() end, true,
            case when v_is_paused then races.noon() - interval '1 hour' end, case when v_is_paused then 'paused' end,
            case when p_stage = 'gone' then races.noon() end);
    insert into pgjobq.schedule_declarations (digest, schedule, definition, first_seen)
    values ('code', 's', races.definition('code'), '2001-01-01Z'),
           ('newer code', 's', races.definition('newer code'), '2001-01-02Z'),
           ('another', 't', races.definition('another'), '2001-01-02Z');
    update pgjobq.workers
       set kinds = '{k}',
           schedules = case when p_stage in ('declared', 'gone') then '{another}'::text[] else '{code,newer code,another}' end;
end $$;

-- A worker registers whose code has the schedule.
create function races.declare_schedule() returns void language plpgsql as $$
begin
    perform pgjobq.register_worker(
        0::smallint, 100 + current_setting('races.side')::bigint, 'w', '1 day', '{default}', '{k}', p_schedules => '{newer code}');
end $$;

-- What a worker has seen of the schedule in its look.
create function races.see_schedule() returns void language plpgsql as $$
begin
    perform set_config('races.version', version::text, false),
            set_config('races.passed_to', pgjobq.micros(passed_to)::text, false),
            set_config('races.text', coalesce(stored, code) ->> 'text', false)
       from pgjobq.schedules where name = 's';
end $$;

-- What it does then: it fires the tick at noon, one minute late, unless that has passed.
create function races.fire_schedule() returns jsonb language plpgsql as $$
begin
    return to_jsonb(pgjobq.fire_schedule(
        's', current_setting('races.version')::bigint, current_setting('races.passed_to')::bigint,
        array(select n from pgjobq.micros(races.noon()) n where n > current_setting('races.passed_to')::bigint),
        null, null, pgjobq.micros(races.noon() + interval '1 minute'),
        pgjobq.micros(races.next_of(current_setting('races.text')))));
end $$;

create function races.scheduled_jobs() returns setof pgjobq.jobs language sql as $$
    select * from pgjobq.jobs where meta ->> 'schedule' = 's'
$$;

-- What is wrong after two operations.
create function races.schedule_violations() returns text[] language plpgsql as $$
begin
    return array(
        select format('tick %s has %s jobs', meta ->> 'tick', count(*))
          from races.scheduled_jobs() group by meta ->> 'tick' having count(*) > 1
        union all
        select 'a tick was fired after the pause'
          from pgjobq.schedules s join races.scheduled_jobs() j on j.created_at > s.paused_at
        union all
        select 'a tick of the pause was fired'
          from pgjobq.schedules s join races.scheduled_jobs() j on s.set_by = 'paused'
        union all
        select format('the tick of a schedule that is gone is left: %s', tick)
          from pgjobq.ticks where schedule not in (select name from pgjobq.schedules)
        union all
        -- A changed schedule is looked at once.
        select format('the definition %s waits for the tick of another one', coalesce(stored, code) ->> 'text')
          from pgjobq.schedules
         where name = 's' and next_at > '9000-01-01Z' and next_at <> races.next_of(coalesce(stored, code) ->> 'text')
        union all
        select 'a tick has no job, and was not missed' from pgjobq.ticks t, pgjobq.schedules s
         where s.name = t.schedule and t.job is null and s.last_missed is distinct from t.tick);
end $$;

-- The schedule goes on: its next look fires.
create function races.schedule_stranded() returns text[] language plpgsql as $$
declare
    s pgjobq.schedules;
    v_fired int;
begin
    perform pgjobq.look_at_schedules(10);
    select * into s from pgjobq.schedules where name = 's';
    if s.name is null or s.paused_at is not null then
        return null;
    end if;
    select fired into v_fired from pgjobq.fire_schedule(
        's', s.version, pgjobq.micros(s.passed_to), array[pgjobq.micros('2001-06-01Z')], null, null,
        pgjobq.micros('2001-06-01Z'), null);
    return case when v_fired is distinct from 1 or s.digest <> 'newer code' then array['the schedule is stuck'] end;
end $$;
