-- Requests of unique jobs that have met another one with their key. An enqueue may be part of a caller's
-- transaction, which locks no job. So it records what is to be done, and the client or any worker does it
-- after the commit.

-- Settles the requests for the jobs `p_ids`; if null, the next `p_most` after the job `p_after` (null: from
-- the start). The holder of the key is changed as its request asks, if it still waits. If it has ended, or
-- has been claimed and holds its key only while it waits, the job is enqueued after all.
--
-- `settled` are jobs whose request is done: with the holder in `holders`, or null if the job is new;
-- `changed` is true if the holder was changed. `queues` have jobs that may start now, and 0 if jobs have new
-- times. `again` is true if the next call may settle more of the same requests. A request is left for later
-- while an open transaction has locked the holder, or enqueues a job with the same key.
create or replace function pgjobq.settle_unique(
    p_shard smallint, p_ids uuid[], p_after uuid, p_most int,
    out settled uuid[], out holders uuid[], out changed boolean[], out queues int[], out again boolean,
    out scanned_to uuid)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_ids uuid[] := coalesce(p_ids, pgjobq.next_unique_requests(p_shard, p_after, p_most));
    v_requests pgjobq.unique_requests[] := pgjobq.lock_unique_requests(p_shard, v_ids);
    v_left pgjobq.unique_requests[] := '{}';
    r pgjobq.unique_requests;
    v_done record;
begin
    again := false;
    scanned_to := case when p_ids is null then v_ids[p_most] end;
    -- step: unique requests locked
    -- Before any lane is locked, because it may wait a moment for an open transaction.
    foreach r in array v_requests loop
        if pgjobq.holder_counts(r) then
            v_left := v_left || r;
            continue;
        end if;
        v_done := pgjobq.enqueue_after_all(r);
        again := again or v_done.is_new is false;
        queues := queues || v_done.queue;
        if v_done.is_new then
            settled := settled || r.id; holders := holders || null::uuid; changed := changed || true;
        end if;
    end loop;
    for v_done in select * from pgjobq.change_holders(p_shard, v_left) loop
        again := again or v_done.changed is null;
        queues := queues || v_done.queue;
        continue when v_done.changed is null;
        settled := settled || v_done.id;
        holders := holders || v_done.holder;
        changed := changed || v_done.changed;
    end loop;
    delete from pgjobq.unique_requests
     where shard = p_shard and id = any (settled);
    queues := array(select distinct q from unnest(queues) q where q is not null);
end $$;

comment on function pgjobq.settle_unique is 'Internal. Settles unique jobs that have met another one.';

revoke execute on function pgjobq.settle_unique from public;

-- The same, for a role that may not lock a lane. Call it in one simple query, like `act_on_request`.
create or replace function pgjobq.settle_own_unique(
    p_shard smallint, p_ids uuid[],
    out settled uuid[], out holders uuid[], out changed boolean[], out queues int[], out again boolean)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform pgjobq.reject_open_transaction('Workers do it after the commit.');
    select s.settled, s.holders, s.changed, s.queues, s.again into settled, holders, changed, queues, again
      from pgjobq.settle_unique(p_shard, p_ids, null, null) s;
end $$;

comment on function pgjobq.settle_own_unique is
    'Internal. Settles unique jobs, for a role that may not lock a lane.';

revoke execute on function pgjobq.settle_own_unique from public;

-- Locks requests that no other session settles just now, and returns them in the order in which they were
-- made. With those for the jobs `p_ids` come the earlier ones for the same holders. One that has an earlier
-- one which another session settles is left for later: the holder must keep what the last one asked for.
create or replace function pgjobq.lock_unique_requests(p_shard smallint, p_ids uuid[])
returns pgjobq.unique_requests[] language plpgsql as $$
declare
    v_ids uuid[];
    v_locked pgjobq.unique_requests[];
begin
    v_ids := array(select unnest(p_ids) union
                   select e.id
                     from unnest(p_ids) d(id),
                          lateral (select holder, n from pgjobq.unique_requests
                                    where shard = p_shard and id = d.id offset 0) r,
                          lateral (select id, n from pgjobq.unique_requests
                                    where shard = p_shard and holder = r.holder order by n) e
                    where e.n < r.n
                    order by 1);
    v_locked := array(select r from unnest(v_ids) d(id),
                                    lateral (select * from pgjobq.unique_requests
                                              where shard = p_shard and id = d.id
                                                for update skip locked offset 0) r);
    return array(
        select r from unnest(v_locked) r
         where not exists (select from (select id, n from pgjobq.unique_requests
                                         where shard = p_shard and holder = r.holder order by n) e
                            where e.n < r.n and e.id <> all (array(select l.id from unnest(v_locked) l)))
         order by r.n);
end $$;

comment on function pgjobq.lock_unique_requests is 'Internal. Locks requests of unique jobs.';

-- The next `p_most` requests after the job `p_after` (null: from the start), by their jobs.
create or replace function pgjobq.next_unique_requests(p_shard smallint, p_after uuid, p_most int)
returns uuid[] language plpgsql as $$
begin
    return array(select id from pgjobq.unique_requests
                  where shard = p_shard and id >= coalesce(p_after, '00000000-0000-0000-0000-000000000000')
                    and (p_after is null or id <> p_after)
                  order by id limit p_most);
end $$;

comment on function pgjobq.next_unique_requests is 'Internal. The next requests of unique jobs.';

-- False if the holder of a key does not count for a request: it has ended, or holds the key only while it
-- waits, and has been claimed. A key that is taken for a time stays so.
create or replace function pgjobq.holder_counts(p_request pgjobq.unique_requests) returns boolean
language plpgsql as $$
begin
    return p_request.lasts = 'time'
        or exists (select from pgjobq.job_row(p_request.shard, p_request.holder) j
                    where j.created_at = p_request.holder_created_at
                      and j.unique_key = p_request.job->>'unique_key'
                      and (p_request.lasts = 'live' or not pgjobq.is_leased(j)));
end $$;

comment on function pgjobq.holder_counts is 'Internal. Whether the holder of a unique key still counts.';

-- Enqueues a job whose key nobody seems to hold any more, and deletes its request. `is_new` is false if
-- another job holds the key: the request is about that one then, and changes nothing of it if it came later,
-- because its content is newer. It is null if the queue is full; or if an open transaction enqueues a job
-- with this key, for which no transaction of ours waits longer than a moment.
-- `queue` is the queue of a job that may start now; 0 if it has a time.
create or replace function pgjobq.enqueue_after_all(
    p_request pgjobq.unique_requests, out is_new boolean, out queue int)
language plpgsql as $$
declare
    v_timeout text := current_setting('lock_timeout');
    v_job pgjobq.jobs := jsonb_populate_record(null::pgjobq.jobs, p_request.job);
    v_unique pgjobq.unique_job[] := array[
        (1, v_job.shard, v_job.kind, v_job.unique_key, p_request.lasts, null, null, null, false, v_job.id)
            ::pgjobq.unique_job];
    v_holder pgjobq.unique_holder;
    v_is_bounded boolean;
begin
    perform set_config('lock_timeout', '20ms', true);
    perform pgjobq.lock_unique_keys(v_unique);
    v_holder := (pgjobq.unique_holders(v_unique))[1];
    is_new := v_holder.id is null;
    if is_new then
        select q.is_bounded into v_is_bounded from pgjobq.queues q where q.id = v_job.queue_id;
        if v_is_bounded and pgjobq.take_room(v_job.queue_id, 1, true) = 0 then
            is_new := null; -- It waits until there is room.
        else
            v_job.limits := pgjobq.with_room(v_job.limits, v_is_bounded);
            queue := pgjobq.insert_after_all(v_job);
            delete from pgjobq.unique_requests where shard = p_request.shard and id = p_request.id;
        end if;
    else
        update pgjobq.unique_requests
           set holder = v_holder.id, holder_created_at = v_holder.created_at,
               answer = case when v_holder.created_at > v_job.created_at then 'keep' else answer end
         where shard = p_request.shard and id = p_request.id;
    end if;
    perform set_config('lock_timeout', v_timeout, true);
exception when lock_not_available then
    is_new := null;
end $$;

comment on function pgjobq.enqueue_after_all is
    'Internal. Enqueues a unique job whose key is no longer held.';

-- Inserts the job of a request. It was created when it was asked for, which tells what is newer; its place in
-- line is one of now. Returns its queue if it may start; 0 if it has a time.
create or replace function pgjobq.insert_after_all(p_job pgjobq.jobs) returns int language plpgsql as $$
declare
    v_now timestamptz := clock_timestamp();
    v_is_due boolean := coalesce(p_job.run_at <= v_now, true);
    v_ticket bigint := nextval('pgjobq.ticket');
    v_is_limited boolean := pgjobq.needs_permit(p_job.limits);
begin
    insert into pgjobq.jobs (shard, id, queue_id, priority, kind, args, meta, attributes, key, run_at,
                             due_at, expires_at, retries, max_crashes, created_at, limits, weight,
                             unique_key, unique_slot, arrival, ticket)
    values (p_job.shard, p_job.id, p_job.queue_id, p_job.priority, p_job.kind, p_job.args, p_job.meta,
            p_job.attributes, p_job.key, case when not v_is_due then p_job.run_at end,
            case when v_is_due then p_job.run_at end, p_job.expires_at, p_job.retries, p_job.max_crashes,
            p_job.created_at, p_job.limits, p_job.weight, p_job.unique_key, p_job.unique_slot,
            case when v_is_limited then v_ticket end,
            case when v_is_due and not v_is_limited then v_ticket end)
    on conflict do nothing;
    if v_is_due and v_is_limited then
        perform pgjobq.announce_limited(array[p_job.id]);
    end if;
    return case when not v_is_due then 0 when not v_is_limited then p_job.queue_id end;
end $$;

comment on function pgjobq.insert_after_all is 'Internal. Inserts the job of a request.';

-- Changes the holders of these requests that still wait. `changed` is false of a holder that stays as it is,
-- and null if it was claimed just now, so that the next look decides. Without a row the request waits: a
-- transaction has locked its holder.
create or replace function pgjobq.change_holders(p_shard smallint, p_requests pgjobq.unique_requests[])
returns table (id uuid, holder uuid, changed boolean, queue int) language plpgsql as $$
#variable_conflict use_column
declare
    v_waiting uuid[]; v_busy uuid[];
    r pgjobq.unique_requests;
    v_job pgjobq.jobs;
    v_new pgjobq.jobs;
begin
    if p_requests = '{}' then
        return;
    end if;
    select t.waiting, t.busy into v_waiting, v_busy
      from pgjobq.take_waiting(p_shard, array(select u.holder from unnest(p_requests) u)) t;
    -- step: holders taken
    foreach r in array p_requests loop
        continue when r.holder = any (v_busy);
        id := r.id; holder := r.holder; queue := null;
        v_new := jsonb_populate_record(null::pgjobq.jobs, r.job);
        select * into v_job from pgjobq.job_row(p_shard, r.holder) j
         where j.created_at = r.holder_created_at and j.kind = v_new.kind and j.unique_key = v_new.unique_key;
        changed := r.holder = any (v_waiting) and v_job.id is not null;
        if changed and r.answer <> 'keep' then
            queue := pgjobq.change_holder(
                v_job, v_new, r.answer <> 'replace_run_at', r.answer <> 'replace_args');
        elsif not changed and (r.lasts = 'waiting' or r.lasts = 'live' and v_job.id is null) then
            changed := null;
        else
            changed := false;
        end if;
        return next;
    end loop;
end $$;

comment on function pgjobq.change_holders is 'Internal. Changes the jobs that hold unique keys.';

-- Gives a waiting job, whose row and lane are locked, the arguments and attributes of another one, or its
-- time, or both. A job in line that is due keeps its place. One that waits to be retried does so at least
-- until then. Returns its queue if it may start now, and 0 if it has a new time.
create or replace function pgjobq.change_holder(
    p_job pgjobq.jobs, p_new pgjobq.jobs, p_args boolean, p_time boolean) returns int language plpgsql as $$
declare
    v_now timestamptz := clock_timestamp();
    v_at timestamptz := case when p_job.failures + p_job.crashes > 0 then greatest(p_job.run_at, p_new.run_at)
                             else p_new.run_at end;
    v_is_due boolean;
    j pgjobq.jobs;
begin
    j := p_job;
    if p_args then
        j.args := p_new.args; j.attributes := p_new.attributes; j.weight := p_new.weight;
        j.meta := pgjobq.with_version(j.meta, p_new.meta -> 'version', p_new.meta -> 'redact');
    end if;
    if p_time then
        j.run_at := case when v_at > v_now then v_at end;
        j.due_at := case when j.run_at is null and p_job.run_at is not null then v_now else j.due_at end;
        j.expires_at := case when p_job.attempt = 0 then p_new.expires_at end;
        j.meta := case when j.waits_for > 0 then j.meta - 'delay' else j.meta end;
        -- As in `changed_job`: a job that waits for a time gives its permits back, unless it holds its own.
        j.permit := case when j.run_at is null or j.limits & 32::smallint > 0 then j.permit end;
        j.queue_permit := case when j.run_at is null then j.queue_permit end;
    end if;
    v_is_due := j.run_at is null and j.waits_for = 0;
    j.ticket := case when v_is_due and pgjobq.may_be_in_line(j.limits, j.permit, j.queue_permit)
                     then coalesce(j.ticket, nextval('pgjobq.ticket')) end;
    update pgjobq.jobs
       set args = j.args, attributes = j.attributes, weight = j.weight, run_at = j.run_at, due_at = j.due_at,
           meta = j.meta, expires_at = j.expires_at, permit = j.permit, queue_permit = j.queue_permit,
           ticket = j.ticket
     where shard = p_job.shard and id = p_job.id;
    perform pgjobq.announce_limited(case when v_is_due and j.ticket is null then array[j.id] end)
      where pgjobq.needs_permit(j.limits) and p_time;
    return case when j.ticket is not null and p_job.ticket is null then j.queue_id
                when j.run_at is distinct from p_job.run_at and j.run_at is not null then 0 end;
end $$;

comment on function pgjobq.change_holder is 'Internal. Gives a waiting job the content of another one.';

-- Notifies workers of requests, when the caller's transaction commits.
create or replace function pgjobq.announce_unique() returns void language plpgsql as $$
begin
    perform pg_notify(pgjobq.channel(), 'unique some');
end $$;

comment on function pgjobq.announce_unique is 'Internal. Notifies workers of unique jobs to settle.';
