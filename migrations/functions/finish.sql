-- Finish: what ended attempts mean for their jobs, a whole batch in one transaction.
--
-- The fence: the lease row with this key, id and worker exists, and the job still has the claimed ticket. The
-- statement that deletes or changes the job's row compares the ticket. A result that does not pass the fence
-- is stale: its job is returned in `stale`; no error is raised.

-- Records ended attempts. Leases come in the order of their key; `p_lease` names the lease of each job by its
-- place in those arrays. Decisions are
--   complete   the job is done, and is kept for `p_keep` with `p_output`
--   delete     the job is done, and is not kept
--   bury       the job is dead, and is kept with the error
--   cancel     the job has cancelled itself, and `p_message` is the reason
--   retry      the attempt failed; the job runs again after `p_delay`
--   snooze     the job asked to run again after `p_delay`; no failure
--   release    the attempt was stopped; the job runs again at once, and this is no failure
--   return     the attempt has not begun; the job is as if it had never been claimed
-- A job that would run again although someone requested to cancel it is cancelled, and returned in
-- `cancelled`. `p_keep` and `p_delay` are microseconds. A lease with `p_lease_close` is deleted if no other
-- session holds it; otherwise it stays, empty. `stale` are the jobs that did not pass the fence. `waited` is
-- true if a process waits for the end of jobs, and `room` are bounded queues in which others wait for room.
--
-- For steps of workflows: `queues` have jobs that have become ready (0: or scheduled), `ended` are workflows
-- that have ended, and with `more` the caller calls `tend_workflows`. Without `p_settle` the children of all
-- steps are left to that: see `grow_workflow`.
--
-- `p_address` are the addresses that the claim returned, or null where it returned none. In the first round a
-- job that ends is deleted there, and no index is read. Whatever that misses, and each job that is put back,
-- is found by id.
create or replace function pgjobq.finish(
    p_shard smallint, p_worker bigint, p_worker_name text, p_lease_queue int[], p_lease_priority smallint[],
    p_lease_max_ticket bigint[], p_lease_id bigint[], p_lease_close boolean[],
    p_lease int[], p_id uuid[], p_ticket bigint[], p_decision text[], p_delay bigint[], p_keep bigint[],
    p_output text[], p_reason text[], p_message text[], p_address tid[] default null,
    p_settle boolean default true, out stale uuid[], out cancelled uuid[], out waited boolean,
    out queues int[], out ended uuid[], out more boolean, out room int[])
language plpgsql as $$
declare
    v_now timestamptz;
    v_held boolean[]; v_closing boolean[];
    v_done uuid[] := '{}';
    v_back uuid[]; v_steps jsonb[]; v_places int[];
begin
    select h.held, h.closing into v_held, v_closing from pgjobq.hold_leases(
        p_shard, p_worker, p_lease_queue, p_lease_priority, p_lease_max_ticket, p_lease_id, p_lease_close) h;
    -- step: leases held
    v_now := clock_timestamp();
    -- The lease half of the fence: without a decision a result is not read. Whatever writes reads the ticket.
    if false = any (v_held) then
        p_decision := array(select case when v_held[d.lease] then d.decision end
                              from unnest(p_lease, p_decision) d(lease, decision));
    end if;
    -- A row may move (same ticket) after the claim, or before the write. Then the next round finds it.
    for round in 1..10 loop
        select v_done || e.ended, v_steps || e.steps, v_places || e.places into v_done, v_steps, v_places
          from pgjobq.end_running(p_shard, p_worker_name, p_address, p_id, p_ticket, p_decision, p_keep,
                                  p_output, p_reason, p_message) e;
        if p_decision && '{retry,snooze,release,return}' then
            v_back := v_back || pgjobq.put_back(p_shard, p_worker_name, p_id, p_ticket, p_decision, p_delay,
                                                p_reason, p_message);
        end if;
        -- step: jobs written
        exit when cardinality(v_done) + coalesce(cardinality(v_back), 0) = cardinality(p_id);
        p_address := null;
        exit when not exists (select from pgjobq.locate_jobs(p_shard, p_address, p_id, p_ticket, p_decision));
    end loop;
    v_done := v_done || v_back;
    if v_places is not null then room := pgjobq.give_room(p_shard, v_places, false); end if;
    -- The jobs' rows are locked now. A request to cancel is seen here, or acted upon after the commit; and an
    -- edge is seen here, or confirmed after it.
    if v_steps is not null or exists (select from pgjobq.cancels where shard = p_shard)
       or exists (select from pgjobq.progress where shard = p_shard)
       or exists (select from pgjobq.edges where shard = p_shard)
    then
        select f.cancelled, f.queues, f.ended, f.more into cancelled, queues, ended, more
          from pgjobq.follow_up(p_shard, v_done, v_back, v_steps, p_settle) f;
    end if;
    delete from pgjobq.leases l
     using unnest(p_lease_queue, p_lease_priority, p_lease_max_ticket, v_closing) c(q, p, t, close)
     where c.close and l.shard = p_shard and l.queue_id = c.q and l.priority = c.p and l.max_ticket = c.t;
    if cardinality(v_done) < cardinality(p_id) then
        stale := array(select id from unnest(p_id) id except select id from unnest(v_done) id);
    end if;
    -- The order leaves the planner only the index by time: processes that no longer wait are not read.
    waited := (select until from pgjobq.waiters where shard = p_shard and until > v_now
                order by until desc limit 1) is not null;
end $$;

comment on function pgjobq.finish is 'Internal. Records ended attempts.';

-- Does what follows from ended attempts, beside their own rows: ends jobs that would run again and have a
-- request to cancel, and tells children how their parents ended. The answers are those of `finish`.
create or replace function pgjobq.follow_up(
    p_shard smallint, p_done uuid[], p_back uuid[], p_steps jsonb[], p_settle boolean,
    out cancelled uuid[], out queues int[], out ended uuid[], out more boolean)
language plpgsql as $$
begin
    if exists (select from pgjobq.cancels where shard = p_shard) then
        cancelled := pgjobq.end_flagged(p_shard, p_back);
        perform pgjobq.forget_cancels(p_shard, p_done);
    end if;
    if exists (select from pgjobq.progress where shard = p_shard) then
        perform pgjobq.forget_progress(p_shard, p_done);
    end if;
    if p_steps is not null or cancelled is not null then
        select s.queues, s.ended, s.more into queues, ended, more
          from pgjobq.end_steps(p_shard, p_steps, p_settle) s;
    end if;
    more := pgjobq.end_parents(p_shard, p_done) or more is true or cancelled is not null;
end $$;

comment on function pgjobq.follow_up is 'Internal. Does what follows from ended attempts.';

-- Locks the lease rows that exist with this key, id and worker: `held`, by their place in the arrays. Locks a
-- lease that is to be closed for update if no other session holds it (`closing`). Locks every other one for
-- share. Upgrades no lock.
create or replace function pgjobq.hold_leases(
    p_shard smallint, p_worker bigint, p_queue int[], p_priority smallint[], p_max_ticket bigint[],
    p_id bigint[],
    p_close boolean[],
    out held boolean[], out closing boolean[])
language plpgsql as $$
begin
    if current_setting('transaction_isolation') <> 'read committed' then
        raise exception 'a finish needs READ COMMITTED: it must see the lease as it is';
    end if;
    held := array_fill(false, array[cardinality(p_id)]);
    closing := held;
    for i in 1..cardinality(p_id) loop
        if p_close[i] then
            perform from pgjobq.leases
              where shard = p_shard and queue_id = p_queue[i] and priority = p_priority[i]
                and max_ticket >= p_max_ticket[i] and max_ticket <= p_max_ticket[i]
                and id = p_id[i] and worker = p_worker
              order by max_ticket for update skip locked;
            closing[i] := found;
        end if;
        if not closing[i] then
            perform from pgjobq.leases
              where shard = p_shard and queue_id = p_queue[i] and priority = p_priority[i]
                and max_ticket >= p_max_ticket[i] and max_ticket <= p_max_ticket[i]
                and id = p_id[i] and worker = p_worker
              order by max_ticket for share;
        end if;
        held[i] := found;
    end loop;
end $$;

comment on function pgjobq.hold_leases is 'Internal. Locks the leases of a finish.';
