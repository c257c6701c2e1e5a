-- The end of steps: what `end_jobs` and `delete_jobs` report is recorded in `steps`, where retention does not
-- delete it before the workflow has ended.

-- Records the end of steps, each as those functions report it. With `p_settle` it settles their edges in the
-- same transaction, up to a thousand. All other steps are left to `tend_workflows`, and `more` is true.
-- `queues` have jobs that have become ready (0: or scheduled), and `ended` are workflows that have ended.
create or replace function pgjobq.end_steps(
    p_shard smallint, p_ended jsonb[], p_settle boolean,
    out queues int[], out ended uuid[], out more boolean)
language plpgsql as $$
declare
    c_edges constant int := 1000;
    v_all record;
    v_now record;
begin
    v_all := pgjobq.record_steps(p_shard, p_ended);
    select array_agg(workflow) filter (where fits) as workflows, array_agg(n) filter (where fits) as numbers,
           array_agg(workflow) filter (where not fits) as later,
           array_agg(n) filter (where not fits) as left_out, max(edges) filter (where fits) as edges
      into v_now
      from (select workflow, n, edges,
                   p_settle and sum(edges) over (rows unbounded preceding) <= c_edges as fits
              from unnest(v_all.workflows, v_all.numbers, v_all.edges) u(workflow, n, edges)) s;
    if v_now.edges > 0 then
        queues := pgjobq.settle_children(p_shard, v_now.workflows, v_now.numbers);
    end if;
    insert into pgjobq.unsettled (shard, is_ended, workflow, n)
    select p_shard, true, workflow, n from unnest(v_now.later, v_now.left_out) u(workflow, n)
    on conflict (shard, workflow, n, is_ended) do nothing;
    more := exists (select from pgjobq.unsettled where shard = p_shard);
    if v_now.workflows is not null then
        select c.ended, more or c.closing into ended, more
          from pgjobq.count_ended(p_shard, v_now.workflows, v_now.numbers) c;
    end if;
end $$;

comment on function pgjobq.end_steps is 'Internal. Records the end of steps, and settles their edges.';

-- Writes the outcome of steps. A row that another session adds a child to moves, and the next round finds it.
create or replace function pgjobq.record_steps(
    p_shard smallint, p_ended jsonb[], out workflows uuid[], out numbers int[], out edges int[])
language plpgsql as $$
declare
    v_now timestamptz := clock_timestamp();
begin
    for round in 1..10 loop
        exit when p_ended is null;
        with recorded as (
            update pgjobq.steps s
               set outcome = l.ended->>'outcome', ended_at = v_now,
                   output = case when s.readers = 0 then null
                                 when l.ended->>'outcome' = 'completed'
                                 then coalesce(l.ended->'output', 'null')
                                 else pgjobq.failure_of(l.ended) end,
                   failed = case when l.ended->>'outcome' <> 'completed' then l.ended end
              from pgjobq.locate_steps(p_shard, p_ended) l
             where s.ctid = l.address and s.shard + 0 = p_shard and s.workflow is not distinct from l.workflow
               and s.n + 0 = l.n and s.outcome is null
            returning s.workflow, s.n, cardinality(s.children) as edges)
        select workflows || array_agg(workflow), numbers || array_agg(n),
               record_steps.edges || array_agg(r.edges)
          into workflows, numbers, edges from recorded r;
        exit when cardinality(numbers) = cardinality(p_ended)
               or not exists (select from pgjobq.locate_steps(p_shard, p_ended));
    end loop;
end $$;

comment on function pgjobq.record_steps is 'Internal. Writes the outcome of steps.';

-- The addresses of the rows of steps that have not ended.
create or replace function pgjobq.locate_steps(p_shard smallint, p_ended jsonb[])
returns table (ended jsonb, address tid, workflow uuid, n int) language plpgsql as $$
#variable_conflict use_column
begin
    return query
    select d.ended, s.address, s.workflow, s.n
      from (select e as ended, pgjobq.workflow_of(e->'meta') as workflow,
                   pgjobq.number_of_step(e->'meta') as n, (e->>'id')::uuid as job
              from unnest(p_ended) e offset 0) d,
           lateral (select ctid as address, workflow, n, job, outcome from pgjobq.steps
                     where shard = p_shard and workflow = d.workflow and n = d.n offset 0) s
     where s.outcome is null and s.job = d.job;
end $$;

comment on function pgjobq.locate_steps is 'Internal. Finds the rows of steps that have not ended.';

-- The end of a step that did not complete, as its children read it. `p_ended` is its row of `finished`.
-- Times are microseconds since 1970.
create or replace function pgjobq.failure_of(p_ended jsonb) returns jsonb language plpgsql stable as $$
begin
    return jsonb_build_object(
        'outcome', p_ended->'outcome', 'attempts', p_ended->'attempt',
        'at', (extract(epoch from (p_ended->>'finished_at')::timestamptz) * 1000000)::bigint,
        'errors', coalesce(pgjobq.readable(nullif(p_ended->'errors', 'null')), '[]')::jsonb,
        'reason', p_ended->'cancelled'->'reason');
end $$;

comment on function pgjobq.failure_of is 'Internal. Describes the failure of a step to its children.';

-- Counts steps whose edges are settled. It is the last that a transaction does, because it locks
-- the rows of their workflows. `ended` are the workflows that have ended with them. `closing` is true if only
-- the steps with a role are left of one: see `close_workflow`.
create or replace function pgjobq.count_ended(
    p_shard smallint, p_workflow uuid[], p_n int[], out ended uuid[], out closing boolean)
language plpgsql as $$
declare
    r record;
    v_live int;
begin
    closing := false;
    for r in
        select u.workflow, count(*) filter (where s.role is null) as plain,
               count(*) filter (where s.role is not null) as with_role,
               count(*) filter (where s.outcome in ('dead', 'expired')
                                   or s.outcome = 'cancelled' and s.role is null) as failed
          from unnest(p_workflow, p_n) u(workflow, n),
               lateral (select role, outcome from pgjobq.steps
                         where shard = p_shard and workflow = u.workflow and n = u.n offset 0) s
         group by u.workflow order by u.workflow
    loop
        update pgjobq.workflows
           set live = live - r.plain - case when roles = 0 then r.with_role else 0 end,
               roles = roles - case when roles = 0 then 0 else r.with_role end,
               failed = failed + r.failed
         where shard = p_shard and id = r.workflow
        returning live into v_live;
        if v_live = 0 and pgjobq.end_workflow(p_shard, r.workflow) then
            ended := ended || r.workflow;
        elsif v_live = 0 then
            closing := true;
        end if;
    end loop;
end $$;

comment on function pgjobq.count_ended is 'Internal. Counts steps that have ended.';

-- Records the end of a workflow, of which the caller has locked the row. It is kept as long as a completed or
-- a dead job. False if steps with a role are left: then the upkeep must look at it.
create or replace function pgjobq.end_workflow(p_shard smallint, p_workflow uuid) returns boolean
language plpgsql as $$
declare
    v_now timestamptz := clock_timestamp();
    v_outcome text;
begin
    update pgjobq.workflows set due_at = '-infinity'
     where shard = p_shard and id = p_workflow and roles > 0;
    if found then
        return false;
    end if;
    v_outcome := (select case when failed = 0 then 'completed'
                              when cancelled_at is not null then 'cancelled' else 'failed' end
                    from pgjobq.workflows where shard = p_shard and id = p_workflow);
    update pgjobq.workflows
       set ended_at = v_now, outcome = v_outcome, deadline = null, cancel_from = null,
           due_at = v_now + pgjobq.keep_of(
               null, case when v_outcome = 'completed' then v_outcome else 'dead' end)
     where shard = p_shard and id = p_workflow;
    return true;
end $$;

comment on function pgjobq.end_workflow is 'Internal. Records the end of a workflow.';

-- The workflow of a step, by its `meta`. A `meta` that was written by hand may be anything, and fails nothing
-- for other jobs: null if it cannot be read.
create or replace function pgjobq.workflow_of(p_meta jsonb) returns uuid language plpgsql immutable as $$
begin
    return case when p_meta->>'workflow' ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
                then (p_meta->>'workflow')::uuid end;
end $$;

comment on function pgjobq.workflow_of is 'Internal. The workflow of a step.';

-- The number of a step in its workflow, likewise.
create or replace function pgjobq.number_of_step(p_meta jsonb) returns int
language plpgsql immutable as $$
begin
    return case when p_meta->>'step' ~ '^[0-9]{1,9}$' then (p_meta->>'step')::int end;
end $$;

comment on function pgjobq.number_of_step is 'Internal. The number of a step.';
