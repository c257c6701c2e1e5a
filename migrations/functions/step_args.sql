-- The arguments of a step that are outputs of other steps. They are completed when the last parent has ended,
-- so that a claim reads them as it reads any others. `inputs` names them:
--   {"info": {"output": 3}}                       the output of step 3
--   {"page": {"result": 4}}                       {"Ok": output} or {"Err": failure}, as serde writes them
--   {"parts": {"list": [{"output": 5}, ...]}}       a JSON array of such values
--   {"parts": {"outputs": [5, 6, 7]}}             the same of many outputs, in fewer bytes
--   {"parts": {"results": [5, 6, 7]}}
--   {"page": {"output": "0198..."}}               the output of a job outside of the workflow

-- The arguments of a step that are outputs, with their values. `is_shared` is true if each step with the same
-- inputs gets the same values. `reason` says why there are none.
create or replace function pgjobq.fill_args(
    p_shard smallint, p_workflow uuid, p_args jsonb, p_inputs jsonb,
    out given jsonb, out is_shared boolean, out reason text)
language plpgsql as $$
declare
    -- As much as a claim returns at once.
    c_most constant int := 8388608;
    c_too_long constant text := 'its arguments, with the outputs of its parents, would be larger than 8 MiB';
    v_missing int;
    v_bytes bigint;
begin
    -- Their stored size first: an array of them may be larger than PostgreSQL can make.
    select coalesce(sum(pg_column_size(s.output)), 0), coalesce(bool_and(s.output is not null), false)
      into v_bytes, is_shared
      from unnest(pgjobq.inputs_of(p_inputs)) d(n),
           lateral (select output from pgjobq.steps
                     where shard = p_shard and workflow = p_workflow and n = d.n offset 0) s;
    if v_bytes <= c_most then
        select g.given, g.missing into given, v_missing
          from pgjobq.given_args(p_shard, p_workflow, p_args, p_inputs) g;
    end if;
    if v_missing = 0 then
        reason := 'it needs the output of a job of no step, which did not complete, or is not kept';
    elsif v_missing is not null then
        reason := (select format('it needs the output of its parent `%s` (%s), which is %s',
                                 coalesce(name, kind), job, coalesce(outcome, 'not there yet'))
                     from pgjobq.steps where shard = p_shard and workflow = p_workflow and n = v_missing);
    elsif given is null or pg_column_size(given) + pg_column_size(p_args) > c_most then
        reason := c_too_long;
    end if;
    given := case when reason is null then given end;
exception
    when program_limit_exceeded or out_of_memory then
        reason := c_too_long;
        given := null;
    when data_exception then
        reason := format('what it reads of its parents is no valid description: %s', left(sqlerrm, 500));
        given := null;
end $$;

comment on function pgjobq.fill_args is 'Internal. The arguments of a step that are outputs of others.';

-- The steps whose output the inputs name, each once, in order.
create or replace function pgjobq.inputs_of(p_inputs jsonb) returns int[] language plpgsql immutable as $$
begin
    return array(select distinct n::int
                   from jsonb_path_query(p_inputs, 'strict $.** ? (@.type() == "number" '
                                                   '&& @ >= 0 && @ < 2147483647)') n order by 1);
end $$;

comment on function pgjobq.inputs_of is 'Internal. The steps whose output a step reads.';

-- The arguments that are outputs. An output that is no longer stored was already given to this step, and its
-- argument stays. `missing` is a step that has no output, because it has not completed.
create or replace function pgjobq.given_args(
    p_shard smallint, p_workflow uuid, p_args jsonb, p_inputs jsonb, out given jsonb, out missing int)
language plpgsql stable as $$
begin
    select jsonb_object_agg(i.key, a.value), min(a.missing) into given, missing
      from jsonb_each(p_inputs) i,
           lateral pgjobq.step_arg(p_shard, p_workflow, i.value, p_args->i.key) a;
end $$;

comment on function pgjobq.given_args is 'Internal. The arguments of a step that are outputs.';

-- The value of one input. `p_old` is the value that the argument has already.
create or replace function pgjobq.step_arg(
    p_shard smallint, p_workflow uuid, p_input jsonb, p_old jsonb, out value jsonb, out missing int)
language plpgsql stable as $$
declare
    v_is_list boolean := p_input ?| '{outputs,results}';
    v_is_result boolean := p_input ?| '{result,results}';
    v_steps jsonb := coalesce(p_input->'output', p_input->'result', p_input->'outputs', p_input->'results');
begin
    if jsonb_typeof(v_steps) = 'string' then
        value := coalesce(pgjobq.outside_arg(p_input), p_old);
        missing := case when value is null then 0 end;
        return;
    elsif p_input ? 'list' then
        select coalesce(jsonb_agg(a.value order by l.i), '[]'), min(a.missing) into value, missing
          from jsonb_array_elements(p_input->'list') with ordinality l(input, i),
               lateral pgjobq.step_arg(p_shard, p_workflow, l.input, p_old->(l.i - 1)::int) a;
        return;
    end if;
    v_steps := case when v_is_list then v_steps else jsonb_build_array(v_steps) end;
    p_old := case when v_is_list then p_old else jsonb_build_array(p_old) end;
    select coalesce(jsonb_agg(coalesce(
               case when s.output is null or not v_is_result then s.output
                    when s.outcome = 'completed' then jsonb_build_object('Ok', s.output)
                    else jsonb_build_object('Err', s.output) end, p_old->(d.i - 1)::int) order by d.i), '[]'),
           min(d.n::int) filter (where (s.outcome = 'completed' or v_is_result and s.outcome is not null)
                                       is not true)
      into value, missing
      from jsonb_array_elements_text(v_steps) with ordinality d(n, i)
           left join lateral (select outcome, output from pgjobq.steps
                               where shard = p_shard and workflow = p_workflow and n = d.n::int offset 0) s
                  on true;
    value := case when v_is_list then value else value->0 end;
end $$;

comment on function pgjobq.step_arg is 'Internal. The value of one input of a step.';

-- The value of an input from a job outside of the workflow, which has ended; null if it did not end as the
-- input needs, or is no longer kept.
create or replace function pgjobq.outside_arg(p_input jsonb) returns jsonb language plpgsql stable as $$
declare
    v_id uuid := coalesce(p_input->>'output', p_input->>'result');
    v_ended pgjobq.finished;
begin
    select f.* into v_ended
      from pgjobq.settings s,
           lateral (select * from pgjobq.finished
                     where shard = pgjobq.shard_of(v_id, s.shards) and id = v_id offset 0) f
     order by f.finished_at desc limit 1;
    return case when v_ended.outcome = 'completed' and p_input ? 'output'
                    then coalesce(v_ended.output, 'null')
                when v_ended.outcome = 'completed'
                    then jsonb_build_object('Ok', coalesce(v_ended.output, 'null'))
                when v_ended.outcome is not null and p_input ? 'result'
                    then jsonb_build_object('Err', pgjobq.failure_of(to_jsonb(v_ended))) end;
end $$;

comment on function pgjobq.outside_arg is
    'Internal. The value of an input from a job outside of the workflow.';

-- Notes that these steps have got the outputs that they read: each from the place `p_from` on. An output goes
-- with its last reader. It counts at most `c_inputs` of them; what is left goes to `unreleased`, and
-- `release_more` goes on. The order lets two sessions wait for each other in no circle.
create or replace function pgjobq.release_outputs(
    p_shard smallint, p_workflow uuid[], p_n int[], p_from int[] default null)
returns void language plpgsql as $$
declare
    c_inputs constant int := 10000;
    v_last int;
    c record;
    r record;
begin
    select array_agg(i.i order by i.i) as steps, array_agg(i.n order by i.i) as parents into c
      from (select d.i::int, u.n
              from unnest(p_workflow, p_n, p_from) with ordinality d(workflow, n, low, i),
                   lateral (select inputs from pgjobq.steps
                             where shard = p_shard and workflow = d.workflow and n = d.n offset 0) s,
                   unnest((pgjobq.inputs_of(s.inputs))[coalesce(d.low, 0) + 1:]) u(n)
             limit c_inputs) i;
    for r in
        select p_workflow[u.i] as workflow, u.n, count(*) as readers
          from unnest(c.steps, c.parents) u(i, n)
         group by p_workflow[u.i], u.n order by p_workflow[u.i], u.n
    loop
        update pgjobq.steps
           set readers = readers - r.readers, output = case when readers > r.readers then output end
         where shard = p_shard and workflow = r.workflow and n = r.n;
    end loop;
    v_last := c.steps[c_inputs];
    if v_last is not null then
        insert into pgjobq.unreleased (shard, workflow, n, released_to)
        select p_shard, p_workflow[i], p_n[i],
               case when i = v_last then coalesce(p_from[i], 0) + cardinality(array_positions(c.steps, i))
                    else coalesce(p_from[i], 0) end
          from generate_series(v_last, cardinality(p_n)) i;
    end if;
end $$;

comment on function pgjobq.release_outputs is 'Internal. Deletes outputs that no child waits for any more.';

-- Goes on where `release_outputs` has stopped. False if it did nothing.
create or replace function pgjobq.release_more(p_shard smallint, p_most int) returns boolean
language plpgsql as $$
declare
    c record;
begin
    with taken as (
        delete from pgjobq.unreleased
         where ctid = any (array(select ctid from pgjobq.unreleased
                                  where shard = p_shard
                                  order by workflow, n limit p_most for update skip locked))
        returning workflow, n, released_to)
    select array_agg(workflow) as workflows, array_agg(n) as numbers, array_agg(released_to) as released
      into c from (select * from taken order by workflow, n) t;
    if c.workflows is null then
        return false;
    end if;
    perform pgjobq.release_outputs(p_shard, c.workflows, c.numbers, c.released);
    return true;
end $$;

comment on function pgjobq.release_more is 'Internal. Goes on deleting outputs that no child waits for.';
