-- Operations of a person on a workflow: retry the steps that failed, and let a held step run.

-- Retries the steps that did not complete: their jobs are inserted anew, and steps that completed do not run
-- again. A child that had counted the end of such a step waits for it again.
--
-- All live steps are locked, so that none ends meanwhile: whoever ends one afterwards sees the new jobs.
-- `is_busy` is true if that is not possible now: edges are still to be settled, or outputs to be deleted; a
-- step is about to end in a transaction that is still open; or the steps with a role run. Then the caller
-- tends the workflow, and tries again. `retried` is null if there is no such workflow, and otherwise counts
-- the steps. `full` describes a queue without room for its steps; then none is retried. `queues` have jobs
-- that became ready; after a retry the caller tends the workflow, because other jobs still get their
-- arguments.
create or replace function pgjobq.retry_workflow(
    p_shard smallint, p_workflow uuid, out retried int, out is_busy boolean, out queues int[],
    out "full" jsonb)
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    v_failed int[];
    v_counted int[];
begin
    perform pgjobq.lock_workflow(p_workflow);
    if not exists (select from pgjobq.workflows where shard = p_shard and id = p_workflow) then
        is_busy := false;
        return;
    end if;
    is_busy := not pgjobq.lock_live_steps(p_shard, p_workflow);
    -- step: live steps locked
    is_busy := is_busy
        or exists (select from pgjobq.unsettled where shard = p_shard and workflow = p_workflow)
        or exists (select from pgjobq.unreleased where shard = p_shard and workflow = p_workflow)
        or exists (select from pgjobq.workflows w, pgjobq.steps s
                    where w.shard = p_shard and w.id = p_workflow and w.roles = 0
                      and s.shard = p_shard and s.workflow = p_workflow
                      and s.role is not null and s.outcome is null);
    if is_busy then
        return;
    end if;
    v_failed := array(select n from pgjobq.steps
                       where shard = p_shard and workflow = p_workflow and outcome <> 'completed' order by n);
    retried := cardinality(v_failed);
    if retried = 0 then
        return;
    end if;
    select s.counted, s."full" into v_counted, "full" from pgjobq.seat_again(p_shard, p_workflow, v_failed) s;
    if "full" is not null then
        retried := 0;
        return;
    end if;
    queues := pgjobq.insert_again(p_shard, p_workflow, v_failed, v_counted);
    perform pgjobq.wait_again(p_shard, p_workflow, v_failed);
    perform pgjobq.reopen_workflow(p_shard, p_workflow, v_failed);
end $$;

comment on function pgjobq.retry_workflow is 'Internal. Retries the failed steps of a workflow.';

-- Waits for other operations by persons on this workflow, and for steps that are being added to it.
create or replace function pgjobq.lock_workflow(p_workflow uuid) returns void language plpgsql as $$
begin
    perform pg_advisory_xact_lock(hashtext('pgjobq.workflow'), hashtext(p_workflow::text));
end $$;

comment on function pgjobq.lock_workflow is 'Internal. Locks a workflow for an operation by a person.';

-- Locks the steps of a workflow that have not ended: the blocked jobs, and then the rows in `steps`. False if
-- another session has locked one of the latter: it is about to end.
create or replace function pgjobq.lock_live_steps(p_shard smallint, p_workflow uuid) returns boolean
language plpgsql as $$
declare
    v_jobs uuid[];
    v_numbers int[];
begin
    select array_agg(job order by job), array_agg(n order by n) into v_jobs, v_numbers
      from pgjobq.steps where shard = p_shard and workflow = p_workflow and outcome is null;
    perform pgjobq.lock_blocked(p_shard, v_jobs);
    return (select count(*) = coalesce(cardinality(v_numbers), 0)
              from unnest(v_numbers) d(n),
                   lateral (select outcome from pgjobq.steps
                             where shard = p_shard and workflow = p_workflow and n = d.n
                               for update skip locked offset 0) s);
end $$;

comment on function pgjobq.lock_live_steps is 'Internal. Locks the live steps of a workflow.';

-- Inserts the jobs of failed steps anew, from what `steps.failed` has of them. Returns the queues of those
-- that are ready. One that waits for no parent, but reads outputs, waits for its row in `unsettled`. Each
-- waits again for its parents outside of the workflow, unless they have completed or are no longer kept.
create or replace function pgjobq.insert_again(
    p_shard smallint, p_workflow uuid, p_failed int[], p_counted int[])
returns int[] language plpgsql as $$
declare
    v_now timestamptz := clock_timestamp();
    v_waits int[] := pgjobq.waits_of_steps(p_shard, p_workflow);
    v_outside record := pgjobq.edges_again(p_shard, p_workflow, p_failed, v_now);
    v_queues int[] := '{}';
    v_is_limited boolean := false;
    r record;
begin
    for r in
        select d.n, f.id, f.queue_id, f.priority, f.kind, f.args, f.attributes, f.key, f.attempt,
               f.retries, f.max_crashes, f.errors, f.weight,
               jsonb_build_object('enqueued_at', pgjobq.micros(f.created_at)) || f.meta as meta,
               pgjobq.with_room(pgjobq.limits_in(p_shard, f.kind, f.key, f.queue_id),
                                f.queue_id = any (p_counted)) as limits,
               s.role is null and d.waits = 0 as is_due,
               case when s.role is not null or d.waits = 0 and s.inputs is not null then 1
                    else d.waits end as waits
          from (select n, coalesce(v_waits[n], 0) + outside as waits
                  from unnest(p_failed, v_outside.waits_for) u(n, outside)) d,
               lateral (select job, role, inputs, failed from pgjobq.steps
                         where shard = p_shard and workflow = p_workflow and n = d.n offset 0) s,
               lateral jsonb_populate_record(null::pgjobq.finished, s.failed) f
    loop
        insert into pgjobq.jobs (shard, id, queue_id, priority, kind, args, attributes, key, meta, waits_for,
                                 limits, weight, arrival, ticket, attempt, retries, max_crashes, created_at)
        values (p_shard, r.id, r.queue_id, r.priority, r.kind, r.args, r.attributes, r.key, r.meta, r.waits,
                r.limits, r.weight,
                case when pgjobq.needs_permit(r.limits) then nextval('pgjobq.ticket') end,
                case when r.waits = 0 and not pgjobq.needs_permit(r.limits)
                     then nextval('pgjobq.ticket') end, least(r.attempt, 2000000000),
                r.retries, r.max_crashes, v_now);
        v_is_limited := v_is_limited or pgjobq.needs_permit(r.limits);
        perform pgjobq.restore_failures(p_shard, r.id, nullif(r.errors, 'null'));
        perform pgjobq.purge_ended(p_shard, array[r.id]);
        if r.waits = 0 then
            v_queues := array_remove(v_queues, r.queue_id) || r.queue_id;
        elsif r.is_due then
            insert into pgjobq.unsettled (shard, workflow, n) values (p_shard, p_workflow, r.n);
        end if;
    end loop;
    if v_outside.edges is not null then
        perform pgjobq.insert_edges(v_outside.edges, true);
    end if;
    perform pgjobq.announce_limited(null) where v_is_limited;
    return v_queues;
end $$;

comment on function pgjobq.insert_again is 'Internal. Inserts the jobs of failed steps anew.';

-- Takes places for failed steps: of each bounded queue (`counted`) for all of its steps, or none at all. Then
-- `full` describes a queue without room.
create or replace function pgjobq.seat_again(
    p_shard smallint, p_workflow uuid, p_failed int[], out counted int[], out "full" jsonb)
language plpgsql as $$
declare
    q record;
    v_taken int[];
begin
    for q in
        select b.id, array_agg(s.job) as jobs
          from unnest(p_failed) d(n),
               lateral (select job, failed from pgjobq.steps
                         where shard = p_shard and workflow = p_workflow and n = d.n offset 0) s
          join pgjobq.queues b on b.id = (s.failed->>'queue_id')::int and b.is_bounded
         group by b.id order by b.id
    loop
        if pgjobq.take_room(q.id, cardinality(q.jobs), true) = 0 then
            "full" := pgjobq.describe_full(q.id, q.jobs);
            perform pgjobq.give_room(p_shard, v_taken, true) where v_taken is not null;
            return;
        end if;
        counted := counted || q.id;
        v_taken := v_taken || array_fill(q.id, array[cardinality(q.jobs)]);
    end loop;
end $$;

comment on function pgjobq.seat_again is 'Internal. Takes places for failed steps.';

-- The edges of failed steps from parents outside of their workflow, as if the steps were enqueued now.
create or replace function pgjobq.edges_again(
    p_shard smallint, p_workflow uuid, p_failed int[], p_now timestamptz,
    out edges pgjobq.edges[], out waits_for int[])
language plpgsql as $$
declare
    v_jobs uuid[];
    v_outside jsonb;
begin
    v_jobs := array(select s.job from unnest(p_failed) with ordinality d(n, i),
                           lateral (select job from pgjobq.steps
                                     where shard = p_shard and workflow = p_workflow and n = d.n offset 0) s
                     order by d.i);
    v_outside := (select jsonb_agg(e || jsonb_build_object('child', d.i))
                    from unnest(p_failed) with ordinality d(n, i),
                         lateral (select outside from pgjobq.steps
                                   where shard = p_shard and workflow = p_workflow and n = d.n offset 0) s,
                         jsonb_array_elements(s.outside) e);
    select e.edges, e.waits_for into edges, waits_for
      from pgjobq.settings t, lateral pgjobq.new_edges(p_now, t.shards, v_jobs, v_outside, null) e;
end $$;

comment on function pgjobq.edges_again is
    'Internal. The edges of failed steps from parents outside of their workflow.';

-- The number of parents of each step that have not completed, by the number of the step. It reads all edges
-- of the workflow, because they lie with the parents.
create or replace function pgjobq.waits_of_steps(p_shard smallint, p_workflow uuid) returns int[]
language plpgsql as $$
declare
    v_waits int[] := '{}';
    r record;
begin
    for r in
        select u.child, count(*) as parents
          from pgjobq.steps s, unnest(s.children) u(child)
         where s.shard = p_shard and s.workflow = p_workflow and s.outcome is distinct from 'completed'
         group by u.child
    loop
        v_waits[r.child] := r.parents;
    end loop;
    return v_waits;
end $$;

comment on function pgjobq.waits_of_steps is 'Internal. Counts the parents of steps that have not completed.';

-- Lets blocked children that had counted the end of these steps wait for them again. A parent that held its
-- child does no longer, and the child still waits for it. What parents outside of the workflow hold stays
-- held.
create or replace function pgjobq.wait_again(p_shard smallint, p_workflow uuid, p_failed int[]) returns void
language plpgsql as $$
declare
    r record;
begin
    for r in
        select c.n, c.job, c.freed, e.met + e.held - c.freed as waits
          from (select u.child, count(*) filter (where lower(u.demand) = 'a') as met,
                       count(*) filter (where lower(u.demand) = 'h') as held
                  from unnest(p_failed) d(n),
                       lateral (select children, demands from pgjobq.steps
                                 where shard = p_shard and workflow = p_workflow and n = d.n offset 0) s,
                       unnest(s.children, string_to_array(s.demands, null)) u(child, demand)
                 where u.demand not in ('o', 'O')
                 group by u.child) e,
               lateral (select n, job, outcome, least(held - held_outside, e.held) as freed from pgjobq.steps
                         where shard = p_shard and workflow = p_workflow and n = e.child offset 0) c
         where c.outcome is null
         order by c.job
    loop
        update pgjobq.jobs set waits_for = waits_for + r.waits
         where shard = p_shard and id = r.job and waits_for > 0;
        update pgjobq.steps set held = held - r.freed
         where shard = p_shard and workflow = p_workflow and n = r.n and r.freed > 0;
    end loop;
end $$;

comment on function pgjobq.wait_again is 'Internal. Lets children wait again for steps that run again.';

-- Makes failed steps live again, and their workflow. An output is kept for each child that will get its
-- arguments: a blocked one, or one that runs again.
create or replace function pgjobq.reopen_workflow(p_shard smallint, p_workflow uuid, p_failed int[])
returns void language plpgsql as $$
declare
    r record;
begin
    update pgjobq.steps
       set outcome = null, ended_at = null, output = null, failed = null, held = 0, held_outside = 0
     where shard = p_shard and workflow = p_workflow and outcome <> 'completed';
    for r in
        select s.n, count(*) filter (where u.demand = upper(u.demand) and j.waits_for > 0) as readers
          from pgjobq.steps s, unnest(s.children, string_to_array(s.demands, null)) u(child, demand),
               lateral (select job from pgjobq.steps
                         where shard = p_shard and workflow = p_workflow and n = u.child offset 0) c
               left join lateral (select waits_for from pgjobq.jobs
                                   where shard = p_shard and id = c.job offset 0) j on true
         where s.shard = p_shard and s.workflow = p_workflow
         group by s.n order by s.n
    loop
        update pgjobq.steps set readers = r.readers
         where shard = p_shard and workflow = p_workflow and n = r.n and readers <> r.readers;
    end loop;
    select count(*) filter (where s.role is null) as plain,
           count(*) filter (where s.role is not null) as roles
      into r
      from unnest(p_failed) d(n),
           lateral (select role from pgjobq.steps
                     where shard = p_shard and workflow = p_workflow and n = d.n offset 0) s;
    update pgjobq.workflows
       set live = live + r.plain, roles = roles + r.roles, failed = 0, outcome = null, ended_at = null,
           cancelled_at = null, cancelled = null, cancel_from = null, due_at = deadline
     where shard = p_shard and id = p_workflow;
end $$;

comment on function pgjobq.reopen_workflow is 'Internal. Makes failed steps live again.';

-- Lets a held step run although parents did not complete. False if it is not held. It raises an error if the
-- step reads the output of such a parent: then only a retry helps.
create or replace function pgjobq.resume_step(
    p_shard smallint, p_workflow uuid, p_n int, out resumed boolean, out queues int[])
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    v_job uuid := (select job from pgjobq.steps where shard = p_shard and workflow = p_workflow and n = p_n);
    v_step record;
    v_reason text;
    l record;
begin
    l := pgjobq.lock_blocked(p_shard, array[v_job]);
    select held, inputs into v_step from pgjobq.steps
     where shard = p_shard and workflow = p_workflow and n = p_n for update;
    resumed := l.places is not null and v_step.held > 0;
    if not resumed then
        return;
    end if;
    -- step: held step locked
    if v_step.inputs is not null and l.waits[1] = v_step.held then
        v_reason := (select f.reason from pgjobq.job_row(p_shard, v_job) j,
                            lateral pgjobq.fill_args(p_shard, p_workflow, j.args, v_step.inputs) f);
        if v_reason is not null then
            raise exception 'step % cannot run: %', p_n, v_reason
                using errcode = 'PJ005', hint = 'Retry the failed steps of the workflow instead.';
        end if;
    end if;
    update pgjobq.steps set held = 0, held_outside = 0
     where shard = p_shard and workflow = p_workflow and n = p_n;
    queues := pgjobq.unblock_steps(
        p_shard, array[v_job], array[p_workflow], array[p_n], l.addresses, array[l.waits[1] - v_step.held],
        array[null::int]);
end $$;

comment on function pgjobq.resume_step is 'Internal. Lets a held step run although parents did not complete.';
