-- Workflows for tests, without a worker: a plan becomes a workflow, and its steps end by hand.

create schema flows;

-- The id of a step, or with 0 of the workflow. All have the same last ten bits, so they lie on one shard.
create function flows.id(p_n int) returns uuid language sql as $$
    select ('00000000-0000-7000-8000-' || lpad(to_hex(p_n), 8, '0') || '0000')::uuid
$$;

-- Enqueues a workflow. A plan is an array of steps: {"after": {"1": "o"}, "inputs": {…}, "args": {…}, "role": "failure"},
-- in which `after` names parents and demands, and `outside` jobs that are no steps, by their numbers. The numbers of a second
-- workflow and of its steps are counted from `p_base`.
create function flows.enqueue(p_plan jsonb, p_deadline bigint default null, p_base int default 0)
returns text language plpgsql as $$
declare
    v_answer record;
begin
    with step as (select ordinality::int as n, value as plan from jsonb_array_elements(p_plan) with ordinality),
    edge as (select s.n as child, key::int as parent, value as demand from step s, jsonb_each_text(s.plan->'after')),
    row as (
        select s.n, s.plan,
               (select array_agg(child order by child)::text from edge where parent = s.n) as children,
               (select string_agg(demand, '' order by child) from edge where parent = s.n) as demands,
               case when s.plan ? 'role' then 1 else (select count(*) from edge where child = s.n)::int end as waits
          from step s)
    select e.* into v_answer
      from (select array_agg(flows.id(p_base + n) order by n) as ids, array_agg(1 order by n) as shapes,
                   array_agg(coalesce(plan->'args', '{}')::text order by n) as args, array_agg(n order by n) as numbers,
                   array_agg(plan->>'name' order by n) as names, array_agg(plan->>'role' order by n) as roles,
                   array_agg(children order by n) as children, array_agg(demands order by n) as demands,
                   array_agg(plan->>'inputs' order by n) as inputs, array_agg(waits order by n) as waits,
                   count(*) filter (where plan ? 'role')::int as with_role, count(*)::int as steps,
                   array_agg((plan->>'delay')::bigint order by n) as delays,
                   (select jsonb_agg(jsonb_build_object('child', n, 'parent', flows.id(key::int), 'demand', value))
                      from step, jsonb_each_text(plan->'outside')) as edges
              from row) r,
           pgjobq.enqueue_workflow(
               flows.id(p_base), 'test', r.steps - r.with_role, r.with_role, p_deadline, array['step'], array['default'],
               array[1::smallint], array[3::smallint], array[3::smallint], r.ids, r.shapes, r.args, null, null,
               null, r.delays, null, null, r.numbers, r.names, r.roles, r.children, r.demands, r.inputs, r.waits, false, null,
               p_edges => r.edges) e;
    return v_answer::text;
end $$;

-- Ends the attempts of some steps, all of them ready, in one finish of worker 7. Decisions are those of `finish`.
create function flows.finish(p_n int[], p_decision text, p_output text default '1')
returns table (queues int[], ended uuid[], more boolean) language plpgsql as $$
declare
    v_tickets bigint[] := array(select j.ticket from unnest(p_n) with ordinality d(n, i)
                                  join pgjobq.jobs j on j.id = flows.id(d.n) order by d.i);
    v_lease bigint := (select max(t) from unnest(v_tickets) t);
    v_finish record;
begin
    if cardinality(v_tickets) < cardinality(p_n) or array_position(v_tickets, null) is not null then
        raise exception 'not all of these steps are ready: %', p_n;
    end if;
    insert into pgjobq.leases (shard, queue_id, priority, max_ticket, id, worker, tickets)
    select 0, 1, 1, v_lease, v_lease, 7, range_agg(int8range(t, t, '[]')) from unnest(v_tickets) t;
    v_finish := pgjobq.finish(
        0::smallint, 7, 'by hand', array[1], array[1::smallint], array[v_lease], array[v_lease], array[true],
        array_fill(1, array[cardinality(p_n)]), array(select flows.id(n) from unnest(p_n) n), v_tickets,
        array_fill(p_decision, array[cardinality(p_n)]), null, array_fill(86400000000, array[cardinality(p_n)]),
        array_fill(p_output, array[cardinality(p_n)]),
        case when p_decision = 'bury' then array_fill('fatal'::text, array[cardinality(p_n)]) end,
        case when p_decision = 'bury' then array_fill('it broke'::text, array[cardinality(p_n)]) end);
    return query select v_finish.queues, v_finish.ended, v_finish.more;
end $$;

-- Tends workflows until there is nothing more to do, and returns how many calls did something. Requests to cancel are acted
-- on as a worker does.
create function flows.tend(p_most int default 1000) returns int language plpgsql as $$
declare
    v_tended record;
begin
    for calls in 0..100000 loop
        v_tended := pgjobq.tend_workflows(0::smallint, p_most);
        if v_tended.cancelling then
            perform pgjobq.act_on_cancels(0::smallint, null, null, 1000);
        end if;
        if not v_tended.more then
            return calls;
        end if;
    end loop;
    raise exception 'it has no end';
end $$;

-- The states of all steps, and the outcome of the workflow.
create function flows.states() returns text language sql as $$
    select string_agg(s.state, ' ' order by s.n) || coalesce(': ' || min(w.outcome), '')
      from pgjobq.workflows w, pgjobq.workflow_steps(0::smallint, w.id, 0, null) s where w.id = flows.id(0)
$$;

create function flows.args(p_n int) returns jsonb language sql as $$
    select args from pgjobq.jobs where id = flows.id(p_n)
$$;
