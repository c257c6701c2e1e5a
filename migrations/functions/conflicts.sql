-- Conflicts: what becomes of the jobs that find no permit, if their kind says more than that they wait.

-- Ends waiting jobs of these limits, which the caller has locked and whose free permits it has given away.
-- `on_conflict` says which: `drop` ends all, `cancel_waiting` and `cancel_running` all but the one that came
-- last. With `cancel_running` that one also requests that the oldest job with a permit is cancelled. A job
-- that has run before stays. Returns the jobs that have ended.
create or replace function pgjobq.settle_conflicts(p_shard smallint, p_kind text[], p_key text[])
returns uuid[] language plpgsql as $$
declare
    v_late uuid[];
    v_ended uuid[];
    l record;
begin
    for l in
        select c.name as kind, k.key, c.on_conflict
          from pgjobq.limits c,
               lateral (select distinct u.key from unnest(p_kind, p_key) u(kind, key) where u.kind = c.name) k
         where c.scope = 'kind' and c.name = any (p_kind) and c.on_conflict <> 'wait'
    loop
        v_late := pgjobq.latest_waiting(p_shard, l.kind, l.key);
        if l.on_conflict = 'cancel_running' and v_late <> '{}' then
            perform pgjobq.cancel_oldest_holder(p_shard, l.kind, l.key, v_late[1]);
        end if;
        if l.on_conflict <> 'drop' then
            v_late := v_late[2:];
        end if;
        if v_late <> '{}' then
            perform pgjobq.end_waiting(p_shard, v_late, 'cancel', 'its limit', case l.on_conflict
                when 'drop' then 'no permit was free when it was enqueued' else 'a newer job waits' end);
            v_ended := v_ended || v_late;
        end if;
    end loop;
    return v_ended;
end $$;

comment on function pgjobq.settle_conflicts is 'Internal. Ends waiting jobs of limits that let none wait.';

-- Locks jobs that wait for a permit and have not run, the one that came last first; at most a thousand.
create or replace function pgjobq.latest_waiting(p_shard smallint, p_kind text, p_key text) returns uuid[]
language plpgsql as $$
declare
    v_jobs uuid[];
begin
    select array_agg(w.id order by w.arrival desc) into v_jobs
      from (select id, arrival from pgjobq.jobs
             where shard = p_shard and kind = p_kind
               and coalesce(case when limits & 16::smallint > 0 then key end, '') = p_key
               and limits & 1::smallint > 0 and permit is null and ticket is null and run_at is null
               and waits_for = 0 and attempt = 0
             order by priority desc, arrival limit 1000 for update skip locked) w;
    return coalesce(v_jobs, '{}');
end $$;

comment on function pgjobq.latest_waiting is 'Internal. Locks jobs that wait for a permit and have not run.';

-- Requests that the oldest job with a permit is cancelled, unless that was requested before.
create or replace function pgjobq.cancel_oldest_holder(
    p_shard smallint, p_kind text, p_key text, p_for uuid)
returns void language plpgsql as $$
declare
    v_oldest uuid;
begin
    v_oldest := (select h.id
                   from (select id, arrival from pgjobq.jobs
                          where shard = p_shard and kind = p_kind
                            and coalesce(case when limits & 16::smallint > 0 then key end, '') = p_key
                            and permit > 0
                          order by permit) h
                  order by h.arrival limit 1);
    if v_oldest is not null and not exists (
        select from pgjobq.cancels where shard = p_shard and job = v_oldest)
    then
        perform pgjobq.ask_to_cancel(p_shard, array[v_oldest], 'its limit', 'job ' || p_for || ' is newer');
        perform pg_notify(pgjobq.channel(), 'cancel some');
    end if;
end $$;

comment on function pgjobq.cancel_oldest_holder is
    'Internal. Requests that the oldest job under a limit is cancelled.';
