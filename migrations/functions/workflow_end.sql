-- The end of a workflow before its time, its last steps, and its deletion: what `tend_workflows` does with a
-- workflow that is due.

-- Requests to cancel a workflow: steps that have not started end, and running ones are asked to stop. It
-- takes effect after the transaction commits. Steps that are added later are cancelled, too. Returns false if
-- no such workflow runs. `role` is the session user; `asked_by` is what the caller claims.
create or replace function pgjobq.cancel_workflow(
    workflow uuid, reason text default null, by text default null)
returns boolean language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    insert into pgjobq.cancels (shard, job, created_at, is_workflow, asked_by, role, reason)
    select w.shard, w.id, w.created_at, true, coalesce(left(cancel_workflow.by, 1000), session_user),
           session_user, left(cancel_workflow.reason, 1000)
      from pgjobq.settings s, pgjobq.workflows w
     where w.shard = pgjobq.shard_of(cancel_workflow.workflow, s.shards)
       and w.id = cancel_workflow.workflow and w.ended_at is null;
    if not found then
        return false;
    end if;
    perform pg_notify(pgjobq.channel(), 'cancel some');
    return true;
end $$;

comment on function pgjobq.cancel_workflow is
    'Public. Requests to cancel a workflow. Takes effect after the transaction commits. Returns false if no '
    'such workflow runs.';

revoke execute on function pgjobq.cancel_workflow from public;

-- Passes a request to cancel a workflow on to its row, if there is one that no other session does. A person's
-- request may also be for a workflow that ends just then: it changes nothing.
create or replace function pgjobq.pass_cancel_on(p_shard smallint) returns boolean language plpgsql
    security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_request record;
begin
    select ctid as address, job, asked_by, role, reason into v_request from pgjobq.cancels
     where shard = p_shard and is_workflow order by job limit 1 for update skip locked;
    if not found then
        return false;
    end if;
    delete from pgjobq.cancels where shard = p_shard and ctid = v_request.address;
    update pgjobq.workflows
       set cancelled_at = clock_timestamp(), cancel_from = 0, due_at = '-infinity', deadline = null,
           cancelled = jsonb_build_object('by', v_request.asked_by, 'role', v_request.role,
                                          'reason', v_request.reason)
     where shard = p_shard and id = v_request.job and ended_at is null and cancelled_at is null;
    return true;
end $$;

comment on function pgjobq.pass_cancel_on is 'Internal. Passes a request to cancel a workflow on.';

revoke execute on function pgjobq.pass_cancel_on from public;

-- Cancels a workflow whose deadline is over.
create or replace function pgjobq.cancel_late_workflow(p_shard smallint, p_workflow uuid) returns void
language plpgsql as $$
begin
    update pgjobq.workflows
       set cancelled_at = clock_timestamp(), cancel_from = 0, due_at = '-infinity', deadline = null,
           cancelled = jsonb_build_object('by', 'its deadline', 'role', session_user,
                                          'reason', 'the deadline of its workflow is over')
     where shard = p_shard and id = p_workflow and ended_at is null and cancelled_at is null
       and deadline <= clock_timestamp();
    if not found then
        update pgjobq.workflows set due_at = deadline
         where shard = p_shard and id = p_workflow and ended_at is null and cancel_from is null
           and (live > 0 or roles = 0);
    end if;
end $$;

comment on function pgjobq.cancel_late_workflow is 'Internal. Cancels a workflow whose deadline is over.';

-- Requests to cancel the next `p_most` steps of a cancelled workflow. Those with a role are left, while
-- others run. The row of the workflow is locked, so that each step that is added meanwhile is seen here, or
-- sees the cancellation. False if there were none.
create or replace function pgjobq.cancel_steps(p_shard smallint, p_workflow uuid, p_most int) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    w pgjobq.workflows;
    v_steps record;
begin
    select * into w from pgjobq.workflows where shard = p_shard and id = p_workflow for update;
    if w.cancel_from is null then
        return false;
    end if;
    -- step: workflow locked
    select array_agg(job) as jobs, max(n) as last, count(*) as steps into v_steps
      from (select job, n from pgjobq.steps
             where shard = p_shard and workflow = p_workflow and n > w.cancel_from
               and outcome is null and (role is null or w.roles = 0)
             order by n limit p_most) s;
    insert into pgjobq.cancels (shard, job, created_at, asked_by, role, reason)
    select p_shard, j.id, j.created_at, w.cancelled->>'by', w.cancelled->>'role', w.cancelled->>'reason'
      from unnest(v_steps.jobs) d(id), lateral pgjobq.job_row(p_shard, d.id) j;
    update pgjobq.workflows
       set cancel_from = case when v_steps.steps = p_most then v_steps.last end,
           due_at = case when v_steps.steps = p_most or live = 0 and roles > 0 then due_at else deadline end
     where shard = p_shard and id = p_workflow;
    return v_steps.steps > 0;
end $$;

comment on function pgjobq.cancel_steps is 'Internal. Requests to cancel steps of a cancelled workflow.';

revoke execute on function pgjobq.cancel_steps from public;

-- Lets the steps with a role go on, because all others have ended: those whose role fits run, and the others
-- are cancelled. Their jobs are locked before the workflow, as everywhere. Returns the queues of those that
-- are ready.
create or replace function pgjobq.close_workflow(p_shard smallint, p_workflow uuid) returns int[]
language plpgsql as $$
declare
    c record;
    l record;
    w pgjobq.workflows;
    v_rest uuid[];
begin
    select array_agg(job order by job) as jobs, array_agg(role order by job) as roles into c
      from pgjobq.steps
     where shard = p_shard and workflow = p_workflow and role is not null and outcome is null;
    l := pgjobq.lock_blocked(p_shard, c.jobs);
    select * into w from pgjobq.workflows where shard = p_shard and id = p_workflow for update;
    if w.live > 0 or w.roles = 0 then
        return null;
    end if;
    -- step: workflow locked
    update pgjobq.workflows set live = roles, roles = 0, due_at = deadline
     where shard = p_shard and id = p_workflow;
    v_rest := array(select c.jobs[i] from unnest(l.places) i
                     where c.roles[i] <> case when w.failed = 0 then 'complete' else 'failure' end);
    if v_rest <> '{}' then
        perform pgjobq.end_waiting(
            p_shard, v_rest, 'cancel', 'its workflow',
            case when w.failed = 0 then 'no step of its workflow failed'
                 else 'not every step of its workflow completed' end);
    end if;
    return pgjobq.unblock_jobs(p_shard, array(select c.jobs[i] from unnest(l.places) i), l.addresses,
                               array(select waits - 1 from unnest(l.waits) waits));
end $$;

comment on function pgjobq.close_workflow is 'Internal. Lets the last steps of a workflow run.';

-- Deletes a workflow that is no longer kept: at most `p_most` of its steps at once, and its row at the end.
create or replace function pgjobq.drop_workflow(p_shard smallint, p_workflow uuid, p_most int) returns void
language plpgsql as $$
declare
    v_deleted int;
begin
    perform from pgjobq.workflows
      where shard = p_shard and id = p_workflow and ended_at is not null and due_at <= clock_timestamp()
        for update skip locked;
    if not found then
        return;
    end if;
    delete from pgjobq.steps
     where ctid = any (array(select ctid from pgjobq.steps
                              where shard = p_shard and workflow = p_workflow order by n limit p_most));
    get diagnostics v_deleted = row_count;
    if v_deleted < p_most then
        delete from pgjobq.workflows where shard = p_shard and id = p_workflow;
    end if;
end $$;

comment on function pgjobq.drop_workflow is 'Internal. Deletes a workflow that is no longer kept.';
