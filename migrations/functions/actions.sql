-- Actions on all jobs that match a filter. An action is a row. It is done in batches, each a short
-- transaction: lock the row, find the next jobs after its place, change them, and move the place. So it
-- goes on where it was interrupted, in any session.

-- Records an action, which has done nothing yet. It counts as asked for by the session user. Actions that
-- ended more than 90 days ago are forgotten then.
create or replace function pgjobq.start_action(
    p_action text, p_filter text, s pgjobq.selection, p_rate text, p_pace bigint, p_by text, p_reason text,
    p_queue int, p_priority smallint, p_run_at timestamptz, out id bigint)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    delete from pgjobq.actions old
     using (select a.id from pgjobq.actions a order by a.id limit 100) oldest
     where old.id = oldest.id and old.ended_at < s.before - interval '90 days';
    insert into pgjobq.actions as a (
        created_at, next_at, action, filter, asked_by, reason, rate, pace, queue_id, priority, run_at,
        selection, place, ended_at, outcome)
    values (s.before, s.before, p_action, p_filter, coalesce(left(p_by, 1000), session_user),
            left(p_reason, 1000), p_rate,
            p_pace * interval '1 microsecond', p_queue, p_priority, p_run_at, s, row(1, 0, null, null),
            case when s.lists = '{}' then s.before end, case when s.lists = '{}' then 'done' end)
    returning a.id into start_action.id;
end $$;

comment on function pgjobq.start_action is 'Internal. Records an action on all jobs that match a filter.';

revoke execute on function pgjobq.start_action from public;

-- Stops an action. The jobs that it has changed stay changed. False if it has ended, or does not exist.
create or replace function pgjobq.stop_action(action bigint) returns boolean language plpgsql
    security definer set search_path = pg_catalog, pg_temp as $$
begin
    update pgjobq.actions a set ended_at = clock_timestamp(), outcome = 'stopped'
     where a.id = stop_action.action and a.ended_at is null;
    return found;
end $$;

comment on function pgjobq.stop_action is
    'Public. Stops an action. The jobs that it has changed stay changed. False if it has ended.';

revoke execute on function pgjobq.stop_action from public;

-- Does the next batch of an action, or, if null, of the one that is due first. `acted` is false if none is
-- due, or another session does it. `wait` is the time in microseconds until the next batch (of any, if
-- null); null if there is none. `problem` says why the batch failed.
--
-- A batch that fails is undone and put off, so that others go on, and the next one is smaller. It
-- waits for a lock no longer than a second: see `batch.sql`.
--
-- `queues` are as in `change_waiting`; `cancelled` have ended, and workers must stop the jobs of `running`.
create or replace function pgjobq.act(
    p_action bigint, p_rows int default 5000, p_most int default 500,
    out acted boolean, out wait bigint, out queues int[], out cancelled uuid[], out running uuid[],
    out problem text)
language plpgsql security definer set search_path = pg_catalog, pg_temp set lock_timeout = '1s' as $$
declare
    a pgjobq.actions;
    v_now timestamptz := clock_timestamp();
begin
    select * into a from pgjobq.actions
     where ended_at is null and pgjobq.due_in(next_at, pace, v_now) = '0'
       and (p_action is null or id = p_action)
     order by next_at limit 1 for update skip locked;
    acted := found;
    if acted then
        -- step: action locked
        begin
            select b.queues, b.cancelled, b.running into queues, cancelled, running
              from pgjobq.do_batch(a, greatest(1, p_rows >> 2 * a.cut), greatest(1, p_most >> 2 * a.cut)) b;
        exception when others or query_canceled then
            problem := format('%s (SQLSTATE %s)', sqlerrm, sqlstate);
            perform pgjobq.put_off(a, problem, left(sqlstate, 2) not in ('40', '53'));
        end;
    end if;
    v_now := clock_timestamp();
    wait := (select extract(epoch from pgjobq.due_in(next_at, pace, v_now)) * 1000000 from pgjobq.actions
              where ended_at is null and (p_action is null or id = p_action) order by next_at limit 1);
end $$;

comment on function pgjobq.act is 'Internal. Does the next batch of an action.';

revoke execute on function pgjobq.act from public;

-- The time until an action's next batch. One that is further ahead than any pause is due at once: it is from
-- before the clock was set back.
create or replace function pgjobq.due_in(p_next_at timestamptz, p_pace interval, p_now timestamptz)
returns interval language sql stable as $$
    select case when p_next_at > p_now + coalesce(p_pace, '0') + interval '1 minute' then '0'
                else greatest('0', p_next_at - p_now) end
$$;

comment on function pgjobq.due_in is 'Internal. The time until the next batch of an action.';
