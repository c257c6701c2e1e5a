-- Workflows: jobs that are enqueued together, and wait for each other. Each step is an ordinary job. With
-- parents it is inserted blocked (`waits_for` > 0, no ticket), so that no claim finds it. Its `meta` names
-- the workflow and its number, so that its end is recorded in `steps`: see `end_steps`.
--
-- The edges lie in the row of the parent, because the statement that records its end reads that row anyway.

-- Enqueues at most a thousand steps of a workflow. The chunk with the step 1 comes first, and makes the
-- workflow. All chunks go in one transaction, and each has the shapes of the whole workflow: so an unknown
-- queue is found before anything is inserted. Jobs are arrays as those of `enqueue_many`.
--   p_live       how many steps the workflow has, without those that have a role
--   p_roles      how many have a role
--   p_deadline   microseconds from now
--   p_n          the number of each step, from 1
--   p_role       `complete` or `failure`: it waits for the end of all steps without a role
--   p_children   for each step an array of numbers, as text: `{2,3}`
--   p_demands    for each step a letter for each child: see `steps.demands`
--   p_inputs     for each step the arguments that are outputs of others: see `fill_args`
--   p_waits_for  how many parents in the workflow each step has; 1 if it has a role
--   p_edges      the other parents, as in `enqueue_many`
--                The first chunk has those of all chunks, without a `child` for steps of later ones, so that
--                a refused job is found before anything is inserted
-- `is_new` is false if the workflow exists: an enqueue whose answer was lost was repeated. `unknown` are
-- queues that do not exist, and `full` has one without room for all of its steps; then nothing was inserted.
create or replace function pgjobq.enqueue_workflow(
    p_workflow uuid, p_name text, p_live int, p_roles int, p_deadline bigint,
    p_shape_kind text[], p_shape_queue text[], p_shape_priority smallint[], p_shape_retries smallint[],
    p_shape_max_crashes smallint[], p_id uuid[], p_shape int[], p_args text[], p_meta text[],
    p_attributes text[], p_key text[], p_delay bigint[], p_at bigint[], p_expires bigint[],
    p_n int[], p_step_name text[], p_role text[], p_children text[], p_demands text[], p_inputs text[],
    p_waits_for int[], p_notify boolean, p_patience int, p_program int default null,
    p_edges jsonb default null, p_weight int[] default null, p_unique_key text[] default null,
    p_shape_options text[] default null, out is_new boolean, out unknown text[], out wake int[],
    out refused jsonb, out misplaced text[], out "full" jsonb)
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    v_shard smallint := (select pgjobq.shard_of(p_workflow, shards) from pgjobq.settings);
    v_answer record;
    v_fill int[] := '{}';
begin
    is_new := true;
    if p_n[1] = 1 then
        unknown := pgjobq.unknown_queues(p_shape_queue);
        refused := pgjobq.refused_parents(p_id, p_edges);
        misplaced := pgjobq.misplaced_kinds(p_shape_kind);
        if unknown is not null or refused is not null or misplaced is not null then return; end if;
        perform set_config('lock_timeout', p_patience::text, true) where p_patience is not null;
        -- First, so that two sessions that repeat an enqueue meet here.
        insert into pgjobq.workflows (shard, id, name, live, roles, size, deadline, due_at)
        select v_shard, p_workflow, p_name, p_live, p_roles, p_live + p_roles, d, d
          from (select clock_timestamp() + p_deadline * interval '1 microsecond' as d) t
        on conflict (shard, id) do nothing;
        is_new := found;
        if not is_new then return; end if;
    end if;
    -- Steps that only read outputs of jobs outside, which may have ended: `fill_steps` completes them.
    if p_edges is not null then
        v_fill := array(select i from unnest(p_inputs, p_waits_for) with ordinality u(inputs, waits, i)
                         where inputs is not null and waits = 0);
        p_waits_for := array(select case when i = any (v_fill) then 1 else waits end
                               from unnest(p_waits_for) with ordinality u(waits, i) order by i);
    end if;
    v_answer := pgjobq.enqueue_many(
        p_shape_kind, p_shape_queue, p_shape_priority, p_shape_retries, p_shape_max_crashes, p_id, p_shape,
        p_args, pgjobq.metas_of_steps(p_workflow, p_n, p_meta), p_attributes, p_key, p_delay, p_at, p_expires,
        p_notify, p_patience, p_program, p_waits_for, p_edges, p_weight, p_unique_key, p_shape_options,
        'whole');
    wake := v_answer.wake;
    perform pgjobq.announce_limited(p_id) where v_answer.limited;
    refused := v_answer.refused;
    "full" := v_answer."full";
    if "full" is not null then
        perform pgjobq.withdraw_workflow(v_shard, p_workflow) where p_n[1] = 1;
    end if;
    if refused is not null or "full" is not null then return; end if;
    perform pgjobq.insert_steps(v_shard, p_workflow, v_answer.inserted, p_id, p_shape_kind, p_shape, p_n,
                                p_step_name, p_role, p_children, p_demands, p_inputs, p_edges);
    insert into pgjobq.unsettled (shard, workflow, n)
    select v_shard, p_workflow, p_n[i] from unnest(v_fill) i;
end $$;

comment on function pgjobq.enqueue_workflow is 'Internal. Enqueues steps of a workflow.';

-- Deletes a workflow that has no steps: one that was just inserted, and for whose steps there is no room. A
-- producer may not delete any other.
create or replace function pgjobq.withdraw_workflow(p_shard smallint, p_workflow uuid) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    delete from pgjobq.workflows w
     where w.shard = p_shard and w.id = p_workflow and w.ended_at is null
       and not exists (select from pgjobq.steps s where s.shard = p_shard and s.workflow = p_workflow);
end $$;

comment on function pgjobq.withdraw_workflow is 'Internal. Deletes a workflow without steps.';

revoke execute on function pgjobq.withdraw_workflow from public;

-- The parents of these edges that cannot be waited for, as in `new_edges`.
create or replace function pgjobq.refused_parents(p_id uuid[], p_edges jsonb) returns jsonb
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    if p_edges is null then
        return null;
    end if;
    return (select e.refused from pgjobq.settings s,
                   lateral pgjobq.new_edges(clock_timestamp(), s.shards, p_id, p_edges, null) e);
end $$;

comment on function pgjobq.refused_parents is 'Internal. Finds parents that cannot be waited for.';

-- Inserts the rows of steps. Their jobs, `p_inserted` of them, were just inserted, and must lie on the shard
-- of the workflow.
create or replace function pgjobq.insert_steps(
    p_shard smallint, p_workflow uuid, p_inserted int, p_id uuid[], p_shape_kind text[], p_shape int[],
    p_n int[], p_name text[], p_role text[], p_children text[], p_demands text[], p_inputs text[],
    p_edges jsonb)
returns void language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    v_count int;
begin
    insert into pgjobq.steps (shard, workflow, n, job, kind, name, role, children, demands, inputs, readers,
                              outside)
    select p_shard, p_workflow, u.n, u.job, p_shape_kind[u.shape], u.name, u.role,
           coalesce(u.children::int[], '{}'), coalesce(u.demands, ''), u.inputs::jsonb,
           length(translate(coalesce(u.demands, ''), 'oha', '')), e.outside
      from unnest(p_id, p_shape, p_n, p_name, p_role, p_children, p_demands, p_inputs) with ordinality
             u(job, shape, n, name, role, children, demands, inputs, i)
           left join (select (edge->>'child')::int as child,
                             jsonb_agg(edge - '{child,kinds}'::text[]) as outside
                        from jsonb_array_elements(p_edges) edge group by 1) e on e.child = u.i,
           lateral (select from pgjobq.jobs where shard = p_shard and id = u.job offset 0) j;
    get diagnostics v_count = row_count;
    if least(v_count, p_inserted) < cardinality(p_id) then
        raise exception 'a step of workflow % was not inserted', p_workflow
            using errcode = 'unique_violation',
                detail = 'Its id is live already or of another shard, or its queue was just deleted.';
    end if;
end $$;

comment on function pgjobq.insert_steps is 'Internal. Inserts the rows of steps.';

-- The `meta` of steps: what the caller gives, the workflow, and the number of the step.
create or replace function pgjobq.metas_of_steps(p_workflow uuid, p_n int[], p_meta text[])
returns text[] language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    return array(
        select (coalesce(u.meta::jsonb, '{}')
                || jsonb_build_object('workflow', p_workflow, 'step', u.n))::text
          from unnest(p_n, p_meta) with ordinality u(n, meta, i) order by u.i);
end $$;

comment on function pgjobq.metas_of_steps is 'Internal. The `meta` of steps.';

-- The queues of these that do not exist; null if all do.
create or replace function pgjobq.unknown_queues(p_names text[]) returns text[] language plpgsql stable
    set search_path = pg_catalog, pg_temp as $$
begin
    return (select array_agg(distinct u.name) from unnest(p_names) u(name)
             where not exists (select from pgjobq.queues q where q.name = u.name and q.deleted_at is null));
end $$;

comment on function pgjobq.unknown_queues is 'Internal. Finds queues that do not exist.';

-- Reserves numbers for steps that a running step adds to its workflow, and returns the first; null if no such
-- workflow runs. Numbers that are not used are lost, which does no harm.
create or replace function pgjobq.reserve_steps(p_shard smallint, p_workflow uuid, p_count int) returns int
language plpgsql as $$
declare
    v_last int;
begin
    update pgjobq.workflows set size = size + p_count
     where shard = p_shard and id = p_workflow and ended_at is null
    returning size into v_last;
    return v_last - p_count + 1;
end $$;

comment on function pgjobq.reserve_steps is 'Internal. Reserves the numbers of new steps.';
