-- Growth: a step that completes adds steps to its own workflow, in the transaction that records its end.

-- Adds steps to a running workflow, unless the end of the step that adds them was stale. The arrays are those
-- of `enqueue_workflow`, and the numbers were reserved: see `reserve_steps`. It is called in the statement of
-- the finish, after it. That finish has not settled the edges of the step, so the workflow has not ended. If
-- the workflow is cancelled, so are the new steps. `wake` are queues in which a worker waits to be notified.
--
-- What the caller cannot repair is an error about the content: the result that would add the steps is
-- refused.
create or replace function pgjobq.grow_workflow(
    p_is_recorded boolean, p_workflow uuid, p_shape_kind text[], p_shape_queue text[],
    p_shape_priority smallint[], p_shape_retries smallint[], p_shape_max_crashes smallint[], p_id uuid[],
    p_shape int[], p_args text[], p_meta text[], p_attributes text[], p_key text[], p_delay bigint[],
    p_at bigint[], p_expires bigint[],
    p_n int[], p_step_name text[], p_children text[], p_demands text[], p_inputs text[], p_waits_for int[],
    p_edges jsonb, p_program int, p_weight int[] default null, p_unique_key text[] default null,
    p_shape_options text[] default null, out wake int[])
language plpgsql as $$
declare
    v_shard smallint := (select pgjobq.shard_of(p_workflow, shards) from pgjobq.settings);
    v_answer record;
    v_cancelled jsonb;
begin
    if not p_is_recorded then
        return;
    end if;
    v_answer := pgjobq.enqueue_many(
        p_shape_kind, p_shape_queue, p_shape_priority, p_shape_retries, p_shape_max_crashes, p_id, p_shape,
        p_args, pgjobq.metas_of_steps(p_workflow, p_n, p_meta), p_attributes, p_key, p_delay, p_at, p_expires,
        false, null, p_program, p_waits_for, p_edges, p_weight, p_unique_key, p_shape_options,
        'growth');
    perform pgjobq.reject_growth_without_room(v_answer."full") where v_answer."full" is not null;
    if coalesce(v_answer.unknown::text, v_answer.refused::text, v_answer.misplaced::text) is not null then
        raise exception 'it adds steps to its workflow, %', case
            when v_answer.unknown is not null then format('but there is no queue `%s`', v_answer.unknown[1])
            when v_answer.refused is not null
            then (select format('one of which waits for job %s, which %s', parent,
                                coalesce('is of the kind `' || kind || '`, not of that of its handle',
                                         'does not exist in this schema'))
                    from jsonb_each_text(v_answer.refused) r(parent, kind) limit 1)
            else 'one of which is under a limit, in a database with several shards' end
            using errcode = 'invalid_parameter_value';
    end if;
    perform pgjobq.insert_steps(v_shard, p_workflow, v_answer.inserted, p_id, p_shape_kind, p_shape, p_n,
                                p_step_name, array_fill(null::text, array[cardinality(p_n)]), p_children,
                                p_demands, p_inputs, p_edges);
    update pgjobq.workflows set live = live + cardinality(p_n)
     where shard = v_shard and id = p_workflow and ended_at is null
    returning cancelled into v_cancelled;
    if not found then
        raise exception 'it adds steps to workflow %, which has ended', p_workflow
            using errcode = 'invalid_parameter_value';
    end if;
    wake := v_answer.wake;
    perform pgjobq.announce_limited(p_id) where v_answer.limited;
    if v_cancelled is not null then
        perform pgjobq.end_waiting(v_shard, p_id, 'cancel', v_cancelled->>'by', v_cancelled->>'reason');
    end if;
end $$;

comment on function pgjobq.grow_workflow is 'Internal. Adds steps to the workflow of a step that completes.';

-- Raises the error for steps that have no room in a full queue. It is no error about the content, so the
-- result is sent again until there is room; unless there never will be.
create or replace function pgjobq.reject_growth_without_room(p_full jsonb) returns void
language plpgsql as $$
declare
    q record;
begin
    select key as name, (value->>'bound')::int as bound, jsonb_array_length(value->'jobs') as jobs into q
      from jsonb_each(p_full)
     order by jsonb_array_length(value->'jobs') > (value->>'bound')::int desc limit 1;
    if q.jobs > q.bound then
        raise exception 'it adds % steps to queue %, whose bound is %', q.jobs, quote_literal(q.name), q.bound
            using errcode = 'invalid_parameter_value';
    end if;
    raise exception 'it adds steps to queue %, which is full', quote_literal(q.name) using errcode = 'PJ003';
end $$;

comment on function pgjobq.reject_growth_without_room is
    'Internal. Raises the error for steps that have no room.';
