-- Finish: what ended attempts mean for their jobs, a whole batch in one transaction.
--
-- The fence: the lease's row is there, ours, with our id, and the job still has the ticket that was claimed, which is
-- compared in the very statement that deletes or changes the job's row. What does not pass is stale: a fact, not an error.

-- Records ended attempts. Leases come in the order of their key; `p_lease` names, for each job, the lease by its place in
-- those arrays. Decisions are
--   complete   the job is done; kept for `p_keep` with `p_output`, or not at all when that is null
--   bury       the job is dead, and kept with the error
--   cancel     the job has cancelled itself, and `p_message` says why
--   retry      the attempt failed; again after `p_delay`
--   snooze     the job asked to be run again after `p_delay`: no failure
--   release    the attempt was told to stop: again, at once, and no failure
--   return     the attempt has not begun: as if it had never been claimed
-- What would run again although somebody has asked to cancel it is cancelled, and told in `cancelled`.
-- `p_keep` and `p_delay` are microseconds. A lease with `p_close` is deleted when nobody else is at it; if it could not be,
-- it is told in `unclosed`, by its place. `stale` has the jobs that were no longer this lease's. `waited`: whether some
-- process waits for the end of jobs.
create or replace function pgjobq.finish(
    p_shard smallint, p_worker bigint, p_worker_name text,
    p_lease_queue int[], p_lease_priority smallint[], p_lease_hi bigint[], p_lease_id bigint[], p_lease_close boolean[],
    p_lease int[], p_id uuid[], p_ticket bigint[], p_decision text[], p_delay bigint[], p_keep bigint[], p_output text[],
    p_reason text[], p_message text[],
    out stale uuid[], out cancelled uuid[], out unclosed int[], out waited boolean)
language plpgsql as $$
declare
    v_now timestamptz;
    v_held boolean[];
    v_closing boolean[];
    v_done uuid[] := '{}';
    v_some uuid[];
    v_troubled uuid[];
    v_again uuid[];
    v_new bigint[];
    v_keeps bigint[] := (select array_agg(distinct k) from unnest(p_keep) k where k is not null);
    v_days date[] := (select array_agg(pgjobq.drop_day(k * interval '1 microsecond') order by n)
                        from unnest(v_keeps) with ordinality u(k, n));
begin
    if current_setting('transaction_isolation') <> 'read committed' then
        raise exception 'a finish needs READ COMMITTED: it must see the lease as it is';
    end if;
    select h.held, h.closing into v_held, v_closing
      from pgjobq.hold_leases(p_shard, p_worker, p_lease_queue, p_lease_priority, p_lease_hi, p_lease_id, p_lease_close) h;
    v_now := clock_timestamp();
    -- step: leases held
    -- Each probe goes by id alone; the ticket is compared outside of it, once where the row is found and once more in the
    -- statement's own condition, because the row may move in between. So a statement may miss a row that moved without
    -- changing its ticket, and the loop goes round while one is left.
    for round in 1..10 loop
        if exists (select 1 from unnest(p_decision, p_keep) d(decision, keep) where decision = 'complete' and keep is null) then
            with gone as (
                delete from pgjobq.jobs j
                 using (select x.ctid, d.id, d.ticket
                          from unnest(p_lease, p_id, p_ticket, p_decision, p_keep) d(lease, id, ticket, decision, keep),
                               lateral (select ctid, ticket from pgjobq.jobs where shard = p_shard and id = d.id offset 0) x
                         where d.decision = 'complete' and d.keep is null and v_held[d.lease] and x.ticket = d.ticket
                        offset 0) mine
                 where j.ctid = mine.ctid and j.shard = p_shard and j.id = mine.id and j.ticket = mine.ticket
                returning j.id, j.attempt > 0 as troubled)
            select array_agg(id), array_agg(id) filter (where troubled) into v_some, v_troubled from gone;
            v_done := v_done || v_some;
            if v_troubled is not null then
                perform pgjobq.forget_failures(p_shard, v_troubled);
            end if;
        end if;
        if v_keeps is not null or p_decision && array['bury', 'cancel'] then
            with gone as (
                delete from pgjobq.jobs j
                 using (select x.ctid, d.*
                          from unnest(p_lease, p_id, p_ticket, p_decision, p_keep, p_output, p_reason, p_message)
                                 d(lease, id, ticket, decision, keep, output, reason, message),
                               lateral (select ctid, ticket from pgjobq.jobs where shard = p_shard and id = d.id offset 0) x
                         where (d.keep is not null or d.decision in ('bury', 'cancel')) and v_held[d.lease] and x.ticket = d.ticket
                        offset 0) mine
                 where j.ctid = mine.ctid and j.shard = p_shard and j.id = mine.id and j.ticket = mine.ticket
                returning j.*, mine.decision, mine.keep, mine.output, mine.reason, mine.message),
            kept as (
                insert into pgjobq.finished (shard, id, outcome, queue_id, priority, kind, args, attributes, key, meta, attempt,
                    failures, crashes, retries, crash_budget, created_at, output, errors, cancelled, drop_on)
                select g.shard, g.id, e.outcome, g.queue_id, g.priority, g.kind, g.args, g.attributes, g.key, g.meta,
                       g.attempt + (g.attempt < 2147483647)::int, least(g.failures + (g.decision = 'bury')::int, 32767), g.crashes,
                       g.retries, g.crash_budget, g.created_at,
                       g.output::jsonb,
                       case when g.attempt > 0 or g.decision = 'bury' then
                           pgjobq.errors_of(g.shard, g.id, case when g.decision = 'bury' then
                               pgjobq.error_entry(g.attempt + (g.attempt < 2147483647)::int, v_now, g.reason, g.message,
                                                  p_worker_name) end)
                       end,
                       case when g.decision = 'cancel' then
                           jsonb_build_object('by', 'the job itself', 'role', session_user, 'reason', g.message, 'asked_at', v_now) end,
                       case when g.decision = 'complete' then v_days[array_position(v_keeps, g.keep)]
                            else pgjobq.drop_day(pgjobq.keep_of(g.queue_id, e.outcome)) end
                  from gone g,
                       lateral (select case g.decision when 'complete' then 'completed' when 'bury' then 'dead'
                                                       else 'cancelled' end as outcome) e
                returning id, attempt > 1 as troubled)
            select array_agg(id), array_agg(id) filter (where troubled) into v_some, v_troubled from kept;
            v_done := v_done || v_some;
            if v_troubled is not null then
                perform pgjobq.forget_failures(p_shard, v_troubled);
            end if;
        end if;
        if p_decision && array['retry', 'snooze', 'release', 'return'] then
            v_new := pgjobq.draw_tickets(cardinality(p_id));
            with again as (
                update pgjobq.jobs j
                   set ticket = case when mine.delay is null then mine.new_ticket end,
                       run_at = v_now + mine.delay * interval '1 microsecond',
                       attempt = j.attempt + (mine.decision <> 'return' and j.attempt < 2147483647)::int,
                       failures = j.failures + (mine.decision = 'retry')::int,
                       crashes = case when j.crashes > 0 and mine.decision in ('retry', 'snooze')
                                      then pgjobq.crashes_left(p_shard, j.id, j.attempt, j.crashes) else j.crashes end,
                       expires_at = case when mine.decision = 'return' then j.expires_at end
                  from (select x.ctid, d.*, v_new[d.place] as new_ticket
                          from unnest(p_lease, p_id, p_ticket, p_decision, p_delay, p_reason, p_message)
                                 with ordinality d(lease, id, ticket, decision, delay, reason, message, place),
                               lateral (select ctid, ticket from pgjobq.jobs where shard = p_shard and id = d.id offset 0) x
                         where d.decision in ('retry', 'snooze', 'release', 'return') and v_held[d.lease] and x.ticket = d.ticket
                        offset 0) mine
                 where j.ctid = mine.ctid and j.shard = p_shard and j.id = mine.id and j.ticket = mine.ticket
                returning j.id, j.attempt, j.crashes, mine.decision, mine.reason, mine.message),
            noted as (
                insert into pgjobq.failures (shard, job, attempt, reason, message, worker)
                select p_shard, id, attempt, coalesce(reason, 'release'), coalesce(message, 'the worker stopped it'), p_worker_name
                  from again where decision = 'retry' or decision = 'release' and crashes > 0)
            select array_agg(id), array_agg(id) filter (where (decision = 'retry' or decision = 'release' and crashes > 0) and attempt > 110)
              into v_some, v_troubled from again;
            v_done := v_done || v_some;
            v_again := v_again || v_some;
            if v_troubled is not null then
                perform pgjobq.leave_out_failures(p_shard, v_troubled);
            end if;
        end if;
        -- step: jobs written
        exit when cardinality(v_done) = cardinality(p_id);
        exit when not exists (
            select 1 from unnest(p_lease, p_id, p_ticket) d(lease, id, ticket),
                 lateral (select ticket from pgjobq.jobs where shard = p_shard and id = d.id offset 0) x
             where v_held[d.lease] and x.ticket = d.ticket);
    end loop;
    -- Their rows are locked now: a request to cancel either is seen here, or is acted upon after this has committed.
    if exists (select 1 from pgjobq.cancels where shard = p_shard) then
        cancelled := pgjobq.end_flagged(p_shard, v_again);
        perform pgjobq.forget_cancels(p_shard, v_done);
    end if;
    if exists (select 1 from pgjobq.progress where shard = p_shard) then
        perform pgjobq.forget_progress(p_shard, v_done);
    end if;
    delete from pgjobq.leases l
     using unnest(p_lease_queue, p_lease_priority, p_lease_hi, p_lease_id, v_closing) c(queue_id, priority, hi, id, closing)
     where c.closing and l.shard = p_shard and l.queue_id = c.queue_id and l.priority = c.priority and l.hi = c.hi
       and l.id = c.id and l.worker = p_worker;
    select array_agg(n) into unclosed
      from unnest(p_lease_close, v_closing, v_held) with ordinality c(wanted, closing, held, n)
     where wanted and held and not closing;
    if cardinality(v_done) < cardinality(p_id) then
        stale := array(select id from unnest(p_id) id except select id from unnest(v_done) id);
    end if;
    -- The order leaves the planner only the index by time: those who no longer wait are not read.
    waited := (select until from pgjobq.waiters where shard = p_shard and until > v_now order by until desc limit 1) is not null;
end $$;

-- The leases of `p_worker` that are still there, by their place in the arrays. Those that are to be closed are locked for
-- update where nobody else has them; the rest are locked for share, and none is ever upgraded.
create or replace function pgjobq.hold_leases(
    p_shard smallint, p_worker bigint, p_queue int[], p_priority smallint[], p_hi bigint[], p_id bigint[], p_close boolean[],
    out held boolean[], out closing boolean[])
language plpgsql as $$
begin
    held := array_fill(false, array[cardinality(p_id)]);
    closing := held;
    for i in 1..cardinality(p_id) loop
        if p_close[i] then
            perform 1 from pgjobq.leases
              where shard = p_shard and queue_id = p_queue[i] and priority = p_priority[i] and hi = p_hi[i]
                and id = p_id[i] and worker = p_worker
                for update skip locked;
            closing[i] := found;
        end if;
        if not closing[i] then
            perform 1 from pgjobq.leases
              where shard = p_shard and queue_id = p_queue[i] and priority = p_priority[i] and hi = p_hi[i]
                and id = p_id[i] and worker = p_worker
                for share;
        end if;
        held[i] := found;
    end loop;
end $$;
