-- Actions on all jobs that match a filter. An action is a row. It is done in batches, each a short
-- transaction: lock the row, find the next jobs after its place, change them, and move the place. So it
-- goes on wherever it was interrupted, whoever calls.

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
    values (s.before, s.before, p_action, p_filter, coalesce(p_by, session_user), p_reason, p_rate,
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
-- due, or another session is at it. `wait` is the time in microseconds until the next batch (of any, if
-- null); null if there is none.
--
-- A batch takes time off for as long as it held its lanes, so that claims get at least half of the time.
-- With a rate, it is what a second of that rate allows, and the next one comes when the jobs of this one
-- have had their time.
--
-- `queues` are as in `change_waiting`; `cancelled` have ended, and workers must stop the jobs of `running`.
create or replace function pgjobq.act(
    p_action bigint, p_rows int default 5000, p_most int default 500,
    out acted boolean, out wait bigint, out queues int[], out cancelled uuid[], out running uuid[])
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    a pgjobq.actions;
    f record;       -- the jobs of the batch
    b record;       -- what became of them
    v_now timestamptz := clock_timestamp();
    v_found timestamptz;
begin
    select * into a from pgjobq.actions
     where ended_at is null and next_at <= v_now and (p_action is null or id = p_action)
     order by next_at limit 1 for update skip locked;
    acted := found;
    if acted then
        -- step: action locked
        select * into f
          from pgjobq.find_batch(
                   a.selection, a.place, p_rows,
                   least(p_most, ceil(1 / extract(epoch from a.pace)))::int);
        a.place := f.here;
        v_found := clock_timestamp();
        -- step: batch found
        select * into b from pgjobq.apply_action(a, f.ids);
        queues := b.queues;
        cancelled := b.cancelled;
        running := b.running;
        v_now := clock_timestamp();
        update pgjobq.actions
           set matched = matched + cardinality(f.ids), changed = actions.changed + b.changed,
               left_out = pgjobq.add_counts(left_out, b.left_out),
               place = coalesce(f.next, a.place),
               next_at = greatest(v_now + (v_now - v_found),
                                  greatest(next_at, v_now - interval '1 second') + b.changed * pace),
               ended_at = case when f.next is null then v_now end,
               outcome = case when f.next is null then 'done' end
         where id = a.id;
    end if;
    wait := (select greatest(0, extract(epoch from next_at - v_now) * 1000000) from pgjobq.actions
              where ended_at is null and (p_action is null or id = p_action) order by next_at limit 1);
end $$;

comment on function pgjobq.act is 'Internal. Does the next batch of an action.';

revoke execute on function pgjobq.act from public;

-- The next jobs of a selection, of one shard and one list: `here` is a place there. It goes on to the next
-- shard or list as long as it finds nothing and has not read `p_rows` rows of one.
create or replace function pgjobq.find_batch(
    s pgjobq.selection, p_place pgjobq.place, p_rows int, p_most int,
    out ids uuid[], out here pgjobq.place, out next pgjobq.place)
language plpgsql stable as $$
declare
    m record;
begin
    next := p_place;
    loop
        here := next;
        select * into m from pgjobq.next_matches(s, here, p_rows, p_most);
        ids := m.ids;
        next := m.next;
        exit when ids <> '{}' or next is null or (next.list, next.shard) = (here.list, here.shard);
    end loop;
end $$;

comment on function pgjobq.find_batch is 'Internal. Finds the next batch of an action.';
