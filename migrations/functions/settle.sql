-- Settling: the end of a step reaches its children. A child counts down `jobs.waits_for`, and is ready at
-- zero.
--
-- The count is read and written under the lock of the child's row. Whoever asked "has every parent ended?"
-- instead would strand a child whose last two parents commit together: neither sees the other's end.
--
-- Locks are taken in the order: jobs by id, then `steps` by (workflow, n), then `workflows` by id.

-- Settles the edges of ended steps, or those in the places from `p_from` to `p_to` (null: all). A child
-- whose parent did not end as it demands is cancelled, or held.
create or replace function pgjobq.settle_children(
    p_shard smallint, p_workflow uuid[], p_n int[], p_from int[] default null, p_to int[] default null,
    out queues int[])
language plpgsql as $$
declare
    c record;       -- the children, as arrays
    l record;       -- those that wait, by their place in the arrays
    v_held int[];
begin
    select array_agg(e.job order by e.job) as jobs, array_agg(e.workflow order by e.job) as workflows,
           array_agg(e.n order by e.job) as numbers, array_agg(e.met order by e.job) as met,
           array_agg(e.held order by e.job) as held, array_agg(e.fatal order by e.job) as fatal
      into c from pgjobq.edges_to(p_shard, p_workflow, p_n, p_from, p_to) e;
    -- step: children read
    l := pgjobq.lock_blocked(p_shard, c.jobs);
    -- step: children locked
    if l.places is null then
        return;
    end if;
    v_held := array(select i from unnest(l.places) i where c.fatal[i] is null and c.held[i] > 0);
    if v_held <> '{}' then
        perform pgjobq.hold_steps(p_shard, array(select c.workflows[i] from unnest(v_held) i),
                                  array(select c.numbers[i] from unnest(v_held) i),
                                  array(select c.held[i] from unnest(v_held) i));
    end if;
    queues := pgjobq.unblock_steps(
        p_shard, array(select c.jobs[i] from unnest(l.places) i),
        array(select c.workflows[i] from unnest(l.places) i),
        array(select c.numbers[i] from unnest(l.places) i), l.addresses,
        array(select w - c.met[i] from unnest(l.places, l.waits) p(i, w)),
        array(select c.fatal[i] from unnest(l.places) i));
end $$;

comment on function pgjobq.settle_children is 'Internal. Settles the edges of ended steps.';

-- The children of ended steps that have not ended, each once: how many edges are met, how many hold it, and a
-- parent whose end is fatal to it.
create or replace function pgjobq.edges_to(
    p_shard smallint, p_workflow uuid[], p_n int[], p_from int[], p_to int[])
returns table (job uuid, workflow uuid, n int, met int, held int, fatal int) language sql stable as $$
    select k.job, e.workflow, e.child, e.met, e.held, e.fatal
      from (select s.workflow, u.child,
                   count(*) filter (where s.outcome = 'completed' or lower(u.demand) = 'a')::int as met,
                   count(*) filter (where s.outcome <> 'completed' and lower(u.demand) = 'h')::int as held,
                   min(s.n) filter (where s.outcome <> 'completed' and lower(u.demand) = 'o') as fatal
              from (select d.workflow, d.n, p.outcome, p.children[coalesce(d.low, 1):d.high] as children,
                           substr(p.demands, coalesce(d.low, 1), d.high - coalesce(d.low, 1) + 1) as demands
                      from (select workflow, n, low, coalesce(high, 2147483647) as high
                              from unnest(p_workflow, p_n, p_from, p_to) u(workflow, n, low, high)) d,
                           lateral (select outcome, children, demands from pgjobq.steps
                                     where shard = p_shard and workflow = d.workflow and n = d.n offset 0) p
                   ) s,
                   unnest(s.children, string_to_array(s.demands, null)) u(child, demand)
             group by s.workflow, u.child) e,
           lateral (select job, outcome from pgjobq.steps
                     where shard = p_shard and workflow = e.workflow and n = e.child offset 0) k
     where k.outcome is null
$$;

comment on function pgjobq.edges_to is 'Internal. The children of ended steps.';

-- Notes that parents have ended badly, so that a person must decide what becomes of these steps. With
-- `p_is_outside` these parents are no steps of the same workflow.
create or replace function pgjobq.hold_steps(
    p_shard smallint, p_workflow uuid[], p_n int[], p_held int[], p_is_outside boolean default false)
returns void language plpgsql as $$
declare
    r record;
begin
    for r in select workflow, n, held from unnest(p_workflow, p_n, p_held) u(workflow, n, held)
              order by workflow, n
    loop
        update pgjobq.steps
           set held = held + r.held,
               held_outside = held_outside + case when p_is_outside then r.held else 0 end
         where shard = p_shard and workflow = r.workflow and n = r.n;
    end loop;
end $$;

comment on function pgjobq.hold_steps is 'Internal. Notes that a person must decide what becomes of steps.';
