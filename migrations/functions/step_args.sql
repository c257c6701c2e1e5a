-- The arguments of a step that are outputs of other steps. They are completed when the last parent has ended,
-- so that a claim reads them as it reads any others. `inputs` names them:
--   {"info": {"output": 3}}                       the output of step 3
--   {"page": {"result": 4}}                       {"Ok": output} or {"Err": failure}, as serde writes them
--   {"parts": {"list": [{"output": 5}, ...]}}       a JSON array of such values
--   {"parts": {"outputs": [5, 6, 7]}}             the same of many outputs, in fewer bytes
--   {"parts": {"results": [5, 6, 7]}}
--   {"page": {"output": "0198…"}}                 the output of a job outside of the workflow, as long as it is kept

-- Completes the arguments of a step. `read` are the steps whose output it read. `reason` says why that is not
-- possible; then there are no arguments.
create or replace function pgjobq.fill_args(
    p_shard smallint, p_workflow uuid, p_args jsonb, p_inputs jsonb,
    out args jsonb, out read int[], out reason text)
language plpgsql as $$
declare
    -- As much as a claim returns at once.
    c_most constant int := 8388608;
    c_too_long constant text := 'its arguments, with the outputs of its parents, would be larger than 8 MiB';
    v_missing int;
begin
    read := array(select distinct n::int
                    from jsonb_path_query(p_inputs, 'strict $.** ? (@.type() == "number")') n);
    -- Their stored size first: an array of them may be larger than PostgreSQL can make.
    if (select coalesce(sum(pg_column_size(s.output)), 0)
          from unnest(read) d(n), lateral (select output from pgjobq.steps where shard = p_shard
                                              and workflow = p_workflow and n = d.n offset 0) s) <= c_most
    then
        select s.args, s.missing into args, v_missing
          from pgjobq.step_args(p_shard, p_workflow, p_args, p_inputs) s;
    end if;
    if v_missing = 0 then
        reason := 'it needs the output of a job outside of its workflow that did not complete, or is no longer kept';
        args := null;
    elsif v_missing is not null then
        reason := (select format('it needs the output of its parent `%s` (%s), which is %s',
                                 coalesce(name, kind), job, coalesce(outcome, 'not there yet'))
                     from pgjobq.steps where shard = p_shard and workflow = p_workflow and n = v_missing);
        args := null;
    elsif args is null or pg_column_size(args) > c_most then
        reason := c_too_long;
        args := null;
    end if;
exception when program_limit_exceeded or out_of_memory then
    reason := c_too_long;
    args := null;
end $$;

comment on function pgjobq.fill_args is 'Internal. Completes the arguments of a step, if that is possible.';

-- Returns the arguments, completed. An output that is no longer stored was already given to this step, and
-- its argument stays. `missing` is a step that has no output, because it has not completed.
create or replace function pgjobq.step_args(
    p_shard smallint, p_workflow uuid, p_args jsonb, p_inputs jsonb, out args jsonb, out missing int)
language plpgsql stable as $$
declare
    r record;
begin
    args := p_args;
    for r in
        select i.key, a.value, a.missing
          from jsonb_each(p_inputs) i,
               lateral pgjobq.step_arg(p_shard, p_workflow, i.value, p_args->i.key) a
    loop
        missing := coalesce(missing, r.missing);
        args := args || jsonb_build_object(r.key, r.value);
    end loop;
end $$;

comment on function pgjobq.step_args is 'Internal. Puts the outputs of steps into arguments.';

-- The value of one input. `p_old` is the value that the argument has already.
create or replace function pgjobq.step_arg(
    p_shard smallint, p_workflow uuid, p_input jsonb, p_old jsonb, out value jsonb, out missing int)
language plpgsql stable as $$
declare
    v_is_list boolean := p_input ?| '{outputs,results}';
    v_is_result boolean := p_input ?| '{result,results}';
    v_steps jsonb := coalesce(p_input->'output', p_input->'result', p_input->'outputs', p_input->'results');
begin
    if p_input ? 'list' then
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
    return case when v_ended.outcome = 'completed' and p_input ? 'output' then coalesce(v_ended.output, 'null')
                when v_ended.outcome = 'completed'
                    then jsonb_build_object('Ok', coalesce(v_ended.output, 'null'))
                when v_ended.outcome is not null and p_input ? 'result'
                    then jsonb_build_object('Err', pgjobq.failure_of(to_jsonb(v_ended))) end;
end $$;

comment on function pgjobq.outside_arg is
    'Internal. The value of an input from a job outside of the workflow.';

-- Notes that children have got outputs: `p_read` has the workflow of each child, and the steps that it read.
-- An output goes with its last reader. The order lets two sessions wait for each other in no circle.
create or replace function pgjobq.release_outputs(p_shard smallint, p_read jsonb)
returns void language plpgsql as $$
declare
    r record;
begin
    for r in
        select c.workflow, n::int as n, count(*) as readers
          from jsonb_to_recordset(p_read) c(workflow uuid, steps jsonb), jsonb_array_elements_text(c.steps) n
         group by c.workflow, n::int order by c.workflow, n::int
    loop
        update pgjobq.steps
           set readers = readers - r.readers, output = case when readers > r.readers then output end
         where shard = p_shard and workflow = r.workflow and n = r.n;
    end loop;
end $$;

comment on function pgjobq.release_outputs is 'Internal. Deletes outputs that no child waits for any more.';
