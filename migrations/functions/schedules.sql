-- Schedules by name: set, removed, paused, resumed, listed. Each change is one short transaction on one row;
-- a worker computes the next tick afterwards.

-- Sets the definition of a schedule, which wins over the one of the code. `p_last` is its last tick, if it
-- ends, in microseconds since 1970. Returns whether that changed anything: setting the same definition again
-- moves no tick, and is no error after its last one. Refused under the name of a schedule in the code whose
-- jobs are of another kind, which it would silently replace; what an operator set under that name before
-- belongs to the code only while a running worker declares it.
create or replace function pgjobq.upsert_schedule(
    p_name text, p_definition jsonb, p_last bigint default null)
returns boolean language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    v_now timestamptz := clock_timestamp();
begin
    if exists (select from pgjobq.schedules s where s.name = p_name and s.stored = p_definition) then
        return false;
    elsif p_last < pgjobq.micros(v_now) then
        raise exception 'the schedule has no tick from now on' using errcode = 'PJ020';
    elsif exists (select from pgjobq.schedules s
                   where s.name = p_name and s.stopped_at is null and s.stored is null
                     and s.code #>> '{job,kind}' <> p_definition #>> '{job,kind}')
          or exists (select from pgjobq.declared_schedules(p_within_lease => true) d
                      where d.schedule = p_name
                        and d.definition #>> '{job,kind}' <> p_definition #>> '{job,kind}')
    then
        raise exception 'the schedule % is in the code, for jobs of another kind', quote_literal(p_name)
            using errcode = 'PJ023';
    elsif not exists (select from pgjobq.queues q where q.name = p_definition #>> '{job,queue}'
                                                    and q.deleted_at is null)
          and p_definition #>> '{job,queue}' is not null
    then
        raise exception 'there is no queue %', quote_literal(p_definition #>> '{job,queue}')
            using errcode = 'undefined_object';
    end if;
    insert into pgjobq.schedules as s (name, kind, stored, set_by, set_at, passed_to, next_at)
    values (p_name, p_definition #>> '{job,kind}', p_definition, session_user, v_now, v_now, v_now)
    on conflict (name) do update
       set stored = excluded.stored, kind = excluded.kind, set_by = excluded.set_by, set_at = excluded.set_at,
           stopped_at = null,
           (version, passed_to, next_at, is_seen, last_missed, last_missed_why)
               = (select c.version, c.passed_to, c.next_at, c.is_seen, c.last_missed, c.last_missed_why
                    from pgjobq.changed_schedule(s, v_now) c)
     where s.stored is distinct from excluded.stored;
    if found then perform pgjobq.announce_schedules(); end if;
    return found;
end $$;

comment on function pgjobq.upsert_schedule is 'Internal. Sets the definition of a schedule.';

-- A schedule whose definition changes. Its ticks have passed up to the change, unless one has come due within
-- the last minute and no worker has fired it yet: that one belongs to the new definition, if it has it as
-- well. Otherwise a change of anything else in the moment of a tick would lose it. While no worker has seen
-- the change before, nobody knows if a tick has come due, and what that one has kept stays. A schedule that
-- had stopped for longer has no ticks from before.
create or replace function pgjobq.changed_schedule(s pgjobq.schedules, p_now timestamptz)
returns pgjobq.schedules language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
    c_minute_ago constant timestamptz := p_now - interval '1 minute';
begin
    if s.is_seen and s.paused_at is null and s.next_at <= c_minute_ago then
        s.last_missed := s.next_at;
        s.last_missed_why := 'no worker fired it within a minute, and then the schedule was changed';
    end if;
    s.passed_to := greatest(s.passed_to, case
        when s.stopped_at <= c_minute_ago then p_now
        when not s.is_seen then c_minute_ago
        when s.next_at <= p_now then greatest(s.next_at - interval '1 microsecond', c_minute_ago)
        else p_now end);
    s.next_at := p_now;
    s.is_seen := false;
    s.version := s.version + 1;
    return s;
end $$;

comment on function pgjobq.changed_schedule is 'Internal. A schedule whose definition changes.';

-- Removes a schedule; or only what was set of it, if a running worker declares it in its code as well, whose
-- definition then holds again. One that is in such code alone cannot be removed, because the next look would
-- insert it again. If its program is only away, that one inserts it again. Returns false if there is none.
create or replace function pgjobq.remove_schedule(name text) returns boolean language plpgsql
    set search_path = pg_catalog, pg_temp as $$
declare
    s pgjobq.schedules;
    v_is_declared boolean;
begin
    select * into s from pgjobq.schedules o where o.name = remove_schedule.name for update;
    -- step: schedule to remove locked
    if s.name is null then
        return false;
    end if;
    v_is_declared := exists (select from pgjobq.declared_schedules(p_within_lease => true) d
                              where d.schedule = s.name);
    if v_is_declared and s.stored is null then
        raise exception 'the schedule % is in the code of running workers', quote_literal(s.name)
            using errcode = 'PJ021', hint = format('Pause it: select pgjobq.pause_schedule(%L);', s.name);
    elsif v_is_declared and s.code is not null then
        update pgjobq.schedules o
           set stored = null, set_by = null, set_at = null, kind = s.code #>> '{job,kind}',
               (version, passed_to, next_at, is_seen, last_missed, last_missed_why)
                   = (select c.version, c.passed_to, c.next_at, c.is_seen, c.last_missed, c.last_missed_why
                        from pgjobq.changed_schedule(s, clock_timestamp()) c)
         where o.name = s.name;
    else
        delete from pgjobq.schedules o where o.name = s.name;
        delete from pgjobq.ticks t where t.schedule = s.name;
    end if;
    perform pgjobq.announce_schedules();
    return true;
end $$;

comment on function pgjobq.remove_schedule is
    'Public. Removes a schedule. One that the code of a running worker has as well follows the code again. '
    'Returns false if there is none.';

-- Pauses a schedule. A tick that is being fired just now is waited for; no later one is fired.
create or replace function pgjobq.pause_schedule(name text) returns boolean language plpgsql
    set search_path = pg_catalog, pg_temp as $$
begin
    update pgjobq.schedules o
       set paused_at = coalesce(o.paused_at, clock_timestamp()), version = o.version + 1
     where o.name = pause_schedule.name;
    return found;
end $$;

comment on function pgjobq.pause_schedule is
    'Public. Pauses a schedule: its ticks pass until it is resumed. Returns false if there is none.';

-- Resumes a schedule. The ticks since the pause have passed: they are neither fired nor missed.
create or replace function pgjobq.resume_schedule(name text) returns boolean language plpgsql
    set search_path = pg_catalog, pg_temp as $$
declare
    v_now timestamptz := clock_timestamp();
begin
    update pgjobq.schedules o
       set paused_at = null, version = o.version + 1, passed_to = greatest(o.passed_to, v_now),
           next_at = case when o.stopped_at is null then v_now end, is_seen = o.stopped_at is not null
     where o.name = resume_schedule.name and o.paused_at is not null;
    if found then
        perform pgjobq.announce_schedules();
        return true;
    end if;
    return exists (select from pgjobq.schedules o where o.name = resume_schedule.name);
end $$;

comment on function pgjobq.resume_schedule is
    'Public. Resumes a paused schedule with its next tick. Returns false if there is none.';

-- Lets workers look at the schedules: at once if they listen, and else with their next heartbeat.
create or replace function pgjobq.announce_schedules() returns void language plpgsql
    set search_path = pg_catalog, pg_temp as $$
begin
    perform pgjobq.note_change();
    perform pg_notify(pgjobq.channel(), 'queues changed');
end $$;

comment on function pgjobq.announce_schedules is 'Internal. Lets workers look at the schedules.';

-- Raises the number that workers follow, for a role that may not write `settings`.
create or replace function pgjobq.note_change() returns void language plpgsql security definer
    set search_path = pg_catalog, pg_temp as $$
begin
    update pgjobq.settings set changes = changes + 1;
end $$;

comment on function pgjobq.note_change is 'Internal. Raises the number of changes that workers follow.';

revoke execute on function pgjobq.note_change from public;

-- Lists schedules by name: one, or those after a name. Arguments that the kind redacts are not shown; so
-- `definition` lacks the job. `args` is null if they are longer than 8 MiB, or cannot be printed.
create or replace function pgjobq.list_schedules(
    p_name text default null, p_after text default null, p_most int default null)
returns table (
    name text, kind text, queue text, definition jsonb, args text, is_declared boolean, set_by text,
    set_at timestamptz, paused_at timestamptz, stopped_at timestamptz, passed_to timestamptz,
    last_tick timestamptz, last_fired_at timestamptz, last_job uuid, last_missed timestamptz,
    last_missed_why text, now timestamptz)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    return query
    select s.name, s.kind,
           coalesce(d.definition #>> '{job,queue}', k.queue, d.definition #>> '{job,policy,queue}',
                    'default'),
           d.definition - 'job',
           pgjobq.printed(pgjobq.shown_args(s.kind, d.definition #> '{job,args}', d.definition -> 'job'),
                          8388608),
           c.schedule is not null, s.set_by, s.set_at, s.paused_at, s.stopped_at, s.passed_to, s.last_tick,
           s.last_fired_at, s.last_job, s.last_missed, s.last_missed_why, clock_timestamp()
      from pgjobq.schedules s
           cross join lateral (select coalesce(s.stored, s.code) as definition) d
           left join pgjobq.kinds k on k.kind = s.kind
           left join pgjobq.declared_schedules(p_within_lease => true) c on c.schedule = s.name
     where (p_name is null or s.name = p_name) and (p_after is null or s.name > p_after)
     order by s.name limit p_most;
end $$;

comment on function pgjobq.list_schedules is 'Internal. Lists schedules by name.';
