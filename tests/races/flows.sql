-- The stages of workflows for the runner, and what must hold of them. `flows` (see `tests/it/flows.sql`) makes the workflow
-- and ends its steps.

-- Steps 1 and 2 are ready. 3 and 5 need both, 4 only that 1 ends, 6 needs 3, and 7 is held if 2 fails. 8 and 9 are last steps.
--   running     so it is
--   failed      1 is dead, its edges are settled, and so are those of its children; 4 has completed
--   unsettled   1 was cancelled, and its edges are not settled
--   child       a job outside of the workflow waits for 1, and its edge is not confirmed
--   shared      two workflows, each of a step that is ready, and one that waits for it and for the job 30: 2 that it
--               completes, and 42 that it ends
create function races.reset_flow(p_stage text) returns void language plpgsql as $$
begin
    perform pg_advisory_unlock_all();
    perform pg_advisory_lock(side, gate) from generate_series(1, 3) side, generate_series(1, 9) gate;
    delete from pgjobq.jobs;
    delete from pgjobq.leases;
    delete from pgjobq.workers;
    delete from pgjobq.failures;
    delete from pgjobq.finished;
    delete from pgjobq.cancels;
    delete from pgjobq.unsettled;
    delete from pgjobq.edges;
    delete from pgjobq.ended_parents;
    delete from pgjobq.lost_ends;
    delete from pgjobq.steps;
    delete from pgjobq.workflows;
    perform setval('pgjobq.ticket', 100);
    perform pgjobq.register_worker(0::smallint, 7, 'by hand');
    if p_stage = 'shared' then
        perform pgjobq.enqueue('step', id => flows.id(30));
        perform flows.enqueue('[{}, {"after": {"1": "o"}, "outside": {"30": "o"}}]');
        perform flows.enqueue('[{}, {"after": {"1": "o"}, "outside": {"30": "a"}}]', p_base => 40);
        perform pgjobq.confirm_edges(0::smallint, 100);
        return;
    end if;
    perform flows.enqueue('[{}, {},
        {"after": {"1": "O", "2": "o"}, "inputs": {"x": {"output": 1}}}, {"after": {"1": "A"}, "inputs": {"x": {"result": 1}}},
        {"after": {"1": "o", "2": "a"}}, {"after": {"3": "o"}}, {"after": {"1": "a", "2": "h"}},
        {"role": "complete"}, {"role": "failure"}]');
    if p_stage = 'failed' then
        perform flows.finish('{1}', 'bury');
        perform flows.tend();
        perform flows.finish('{4}', 'complete');
    elsif p_stage = 'unsettled' then
        perform pgjobq.end_waiting(0::smallint, array[flows.id(1)], 'cancel');
    elsif p_stage = 'child' then
        perform pgjobq.enqueue('step', id => flows.id(20), after => array[flows.id(1)]);
    end if;
end $$;

-- Ends a step by itself, if it is ready.
create function races.finish(p_n int[], p_decision text) returns text language plpgsql as $$
begin
    if exists (select from unnest(p_n) n where not exists (
               select from pgjobq.jobs where id = flows.id(n) and ticket is not null)) then
        return 'gone';
    end if;
    return (flows.finish(p_n, p_decision))::text;
end $$;

-- Ends a step, and adds two others to its workflow, from the number `p_first` on: as `finish_growing.sql` does.
create function races.grow(p_n int, p_first int) returns text language plpgsql as $$
declare
    v_ticket bigint := (select ticket from pgjobq.jobs where id = flows.id(p_n) and ticket is not null);
begin
    if v_ticket is null then
        return 'gone';
    end if;
    insert into pgjobq.leases (shard, queue_id, priority, max_ticket, id, worker, tickets)
    values (0, 1, 1, v_ticket, v_ticket, 7, int8multirange(int8range(v_ticket, v_ticket, '[]')));
    return (
        select (f.stale is null)::text
          from pgjobq.finish(
                   0::smallint, 7, 'by hand', '{1}', '{1}', array[v_ticket], array[v_ticket], '{t}', '{1}',
                   array[flows.id(p_n)], array[v_ticket], '{delete}', '{null}', '{null}', '{1}', '{null}', '{null}', null,
                   false) f,
               lateral pgjobq.grow_workflow(
                   f.stale is null, flows.id(0), '{step}', '{default}', '{1}', '{3}', '{3}',
                   array[flows.id(p_first), flows.id(p_first + 1)], '{1,1}', '{"{}","{}"}', null, null, null,
                   null, null, null,
                   array[p_first, p_first + 1], null, array['{' || p_first + 1 || '}', null], '{O,null}',
                   array[null, jsonb_build_object('x', jsonb_build_object('output', p_first))::text], '{0,1}', null,
                   null) g);
end $$;

-- A worker claims a step and dies.
create function races.claim_and_die(p_n int) returns void language plpgsql as $$
begin
    update pgjobq.jobs set max_crashes = 0 where id = flows.id(p_n);
    insert into pgjobq.leases (shard, queue_id, priority, max_ticket, id, worker, tickets)
    select 0, 1, 1, ticket, 5, 5, int8multirange(int8range(ticket, ticket, '[]')) from pgjobq.jobs
     where id = flows.id(p_n) and ticket is not null;
end $$;

create function races.complete_in(p_n int) returns text language plpgsql as $$
begin
    insert into pgjobq.leases (shard, queue_id, priority, max_ticket, id, worker, tickets)
    select 0, 1, 1, ticket, 6, 7, int8multirange(int8range(ticket, ticket, '[]')) from pgjobq.jobs
     where id = flows.id(p_n) and ticket is not null;
    return (select pgjobq.complete_in(0::smallint, 7, 1, 1::smallint, ticket, 6, id, ticket, null, '1')
              from pgjobq.jobs where id = flows.id(p_n) and ticket is not null);
end $$;

-- The invariants that are violated now, in one snapshot.
create function races.flow_violations() returns text[] language sql as $$
    with edge as (
        select p.workflow, p.n as parent, u.child, lower(u.demand) as demand, u.demand <> lower(u.demand) as reads,
               p.outcome, p.output,
               exists (select from pgjobq.unsettled t where t.workflow = p.workflow and t.n = p.n) as is_unsettled,
               exists (select from pgjobq.jobs j where j.id = p.job and j.attempt > 0) as runs_again
          from pgjobq.steps p, unnest(p.children, string_to_array(p.demands, null)) u(child, demand)),
    child as (
        select s.workflow, s.n, s.job, s.role, s.held, j.waits_for, j.ticket, j.args, j.id is not null as is_live,
               s.outcome,
               count(e.*) filter (where e.outcome is null or e.is_unsettled) as waits,
               -- A child that is ready does not wait for a parent that runs again.
               count(e.*) filter (where (e.outcome is null or e.is_unsettled) and not e.runs_again) as must_wait,
               count(e.*) filter (where e.outcome <> 'completed' and not e.is_unsettled and e.demand = 'h') as held_by,
               count(e.*) filter (where e.outcome <> 'completed' and not e.is_unsettled and e.demand = 'o') as failed
          from pgjobq.steps s left join pgjobq.jobs j on j.id = s.job
               left join edge e on e.workflow = s.workflow and e.child = s.n
         group by s.workflow, s.n, s.job, s.role, s.held, j.waits_for, j.ticket, j.args, j.id, s.outcome)
    select array(
        select format('step %s has a job, or none, and the outcome %L', n, outcome) from child
         where is_live = (outcome is not null)
        union all
        select format('step %s runs although it waits for %s', n, must_wait) from child
         where is_live and waits_for = 0 and must_wait + failed > 0
        union all
        select format('step %s counts %s instead of %s + %s held', n, waits_for, waits, held) from child
         where is_live and waits_for > 0 and role is null and waits_for <> waits + held
               + (select count(*) from pgjobq.unsettled t where t.workflow = child.workflow and t.n = child.n)
               + (select count(*) from pgjobq.edges e where e.child = child.job)
        union all
        select format('step %s is live although a parent failed', n) from child where is_live and failed > 0
        union all
        select format('step %s is held by %s, and %s are counted', n, held_by, held) from child
         where is_live and waits_for > 0 and held <> held_by and held > 0
        union all
        select format('the output of step %s is gone, and step %s needs it', e.parent, e.child)
          from edge e join child c on c.workflow = e.workflow and c.n = e.child
         where e.reads and e.outcome is not null and c.is_live and c.waits_for > 0 and e.output is null
        union all
        select format('step %s starts without its argument', e.child)
          from edge e join child c on c.workflow = e.workflow and c.n = e.child
         where e.reads and c.ticket is not null and not c.args ? 'x'
        union all
        select format('job %s is ready, and its parent runs', j.id) from pgjobq.jobs j, pgjobq.jobs p
         where j.ticket is not null and (j.id = flows.id(20) and p.id = flows.id(1)
                                         or j.id in (flows.id(2), flows.id(42)) and p.id = flows.id(30))
        union all
        select format('the workflow counts %s + %s instead of %s', w.live, w.roles, c.steps)
          from pgjobq.workflows w,
               lateral (select count(*) as steps from pgjobq.steps s
                         where s.workflow = w.id
                           and (outcome is null or exists (select from pgjobq.unsettled t
                                                            where t.workflow = w.id and t.n = s.n))) c
         where w.live + w.roles <> c.steps)
$$;

-- Ends all that is left, and returns what was stranded, and outcomes that do not fit.
create function races.drain_flow() returns text[] language plpgsql as $$
declare
    v_steps int[];
begin
    for round in 1..30 loop
        perform flows.tend();
        perform pgjobq.act_on_cancels(0::smallint, null, null, 100);
        perform pgjobq.reap(0::smallint, '{}');
        perform pgjobq.confirm_edges(0::smallint, 100), pgjobq.settle_edges(0::smallint, 100);
        perform pgjobq.resume_step(0::smallint, flows.id(0), n) from pgjobq.steps where held > 0 and outcome is null;
        v_steps := array(select ('x' || substr(id::text, 25, 8))::bit(32)::int from pgjobq.jobs where ticket is not null);
        exit when v_steps = '{}' and not exists (select from pgjobq.unsettled) and not exists (select from pgjobq.edges)
              and not exists (select from pgjobq.cancels) and not exists (select from pgjobq.jobs);
        if v_steps <> '{}' then
            delete from pgjobq.leases;
            perform flows.finish(v_steps, 'complete');
        end if;
    end loop;
    return array(
        select format('job %s is stranded: waits for %s', id, waits_for) from pgjobq.jobs
        union all
        select 'an edge is left' from pgjobq.edges
        union all
        select format('job 20 is %s, and its parent is %s', f.outcome, s.outcome)
          from pgjobq.finished f, pgjobq.steps s
         where f.id = flows.id(20) and s.n = 1 and f.outcome = 'completed' and s.outcome <> 'completed'
        union all
        select format('step %s is unsettled', n) from pgjobq.unsettled
        union all
        select 'a request to cancel is left' from pgjobq.cancels
        union all
        select format('the workflow has not ended: %s live, %s roles', live, roles) from pgjobq.workflows
         where outcome is null or live <> 0 or roles <> 0
        union all
        select format('the workflow has %s failed steps, and is %s', failed, outcome) from pgjobq.workflows
         where failed <> (select count(*) from pgjobq.steps s
                           where s.workflow = workflows.id
                             and (outcome in ('dead', 'expired') or outcome = 'cancelled' and role is null))
            or (outcome = 'completed') <> (failed = 0)
        union all
        select format('step %s completed although step %s is %s', c.n, p.n, p.outcome)
          from pgjobq.steps p, unnest(p.children, string_to_array(p.demands, null)) u(child, demand), pgjobq.steps c
         where c.workflow = p.workflow and c.n = u.child and lower(u.demand) = 'o' and p.outcome <> 'completed' and c.outcome = 'completed'
        union all
        select format('step %s is %s, and job 30 is %s', s.job, s.outcome, f.outcome)
          from pgjobq.finished f, pgjobq.steps s
         where f.id = flows.id(30) and f.outcome <> 'completed'
           and (s.job = flows.id(2) and s.outcome = 'completed' or s.job = flows.id(42) and s.failed->'cancelled'->>'reason' like '%parent%')
        union all
        select format('%s steps were added instead of two', count(*)) from pgjobq.steps where n > 9 having count(*) = 1
        union all
        select format('the workflow was cancelled, and step %s, which was added, completed', s.n)
          from pgjobq.workflows w join pgjobq.steps s on s.workflow = w.id
         where w.cancelled_at is not null and s.n > 9 and s.outcome = 'completed'
        union all
        select 'both last steps ran' where (select count(*) from pgjobq.steps where role is not null
                                             and outcome = 'completed') > 1);
end $$;
