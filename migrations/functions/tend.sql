-- Tending workflows: the work that a finish has left over, and that of no other statement. Every worker does
-- it.

-- Does the next piece of work in a shard, in one short transaction: settles the edges of steps that have
-- ended, passes a request to cancel on, looks at a workflow that is due, or deletes outputs. `more` is true
-- if it did anything; then the caller calls it again. `queues` have jobs that have become ready (0: or
-- scheduled), `ended` are workflows that have ended, and `cancelling` is true if there are new requests to
-- cancel jobs.
create or replace function pgjobq.tend_workflows(
    p_shard smallint, p_most int default 1000,
    out queues int[], out ended uuid[], out cancelling boolean, out more boolean)
language plpgsql as $$
declare
    v_due pgjobq.workflows;
begin
    if current_setting('transaction_isolation') <> 'read committed' then
        raise exception 'this needs READ COMMITTED: an older snapshot would not see what a job waits for';
    end if;
    cancelling := false;
    select s.queues, s.ended, s.more into queues, ended, more from pgjobq.settle_ended(p_shard, p_most) s;
    if more then
        return;
    end if;
    more := pgjobq.pass_cancel_on(p_shard);
    if more then
        return;
    end if;
    v_due := pgjobq.due_workflow(p_shard);
    more := v_due.id is not null;
    if not more then
        more := pgjobq.release_more(p_shard, p_most);
    elsif v_due.ended_at is not null then
        perform pgjobq.drop_workflow(p_shard, v_due.id, p_most);
    elsif v_due.cancel_from is not null then
        cancelling := pgjobq.cancel_steps(p_shard, v_due.id, p_most);
    elsif v_due.live = 0 and v_due.roles > 0 then
        queues := pgjobq.close_workflow(p_shard, v_due.id);
    else
        perform pgjobq.cancel_late_workflow(p_shard, v_due.id);
    end if;
end $$;

comment on function pgjobq.tend_workflows is 'Internal. Does the next piece of work on workflows.';

-- Finds the shards in which `tend_workflows` has something to do: four index probes for each.
create or replace function pgjobq.find_untended(p_shards smallint[]) returns smallint[] language plpgsql as $$
declare
    v_now timestamptz := clock_timestamp();
begin
    return array(
        select s.shard from unnest(p_shards) s(shard)
         where exists (select from pgjobq.unsettled where shard = s.shard)
            or exists (select from pgjobq.unreleased where shard = s.shard)
            or exists (select from pgjobq.cancels where shard = s.shard and is_workflow)
            or exists (select from pgjobq.workflows where shard = s.shard and due_at <= v_now));
end $$;

comment on function pgjobq.find_untended is 'Internal. Finds the shards whose workflows need something.';

-- A workflow that is due, if there is one.
create or replace function pgjobq.due_workflow(p_shard smallint) returns pgjobq.workflows
language plpgsql as $$
declare
    v_due pgjobq.workflows;
begin
    select * into v_due from pgjobq.workflows
     where shard = p_shard and due_at <= clock_timestamp() order by due_at limit 1;
    return v_due;
end $$;

comment on function pgjobq.due_workflow is 'Internal. Finds a workflow that is due.';

-- Settles at most `p_most` edges of ended steps, which no finish has settled. A step with more
-- children goes on where it was left. Other sessions do so for other steps.
create or replace function pgjobq.settle_ended(
    p_shard smallint, p_most int, out queues int[], out ended uuid[], out more boolean)
language plpgsql as $$
declare
    c record;
    v_done record;
begin
    select array_agg(u.workflow) as workflows, array_agg(u.n) as numbers, array_agg(u.settled_to) as done,
           array_agg(u.edges) as edges, array_agg(not u.is_ended) as unfilled
      into c
      from (select u.workflow, u.n, u.settled_to, u.is_ended, cardinality(s.children) as edges
              from (select workflow, n, settled_to, is_ended from pgjobq.unsettled
                     where shard = p_shard order by workflow, n limit p_most for update skip locked) u
                   left join lateral (select children from pgjobq.steps
                             where shard = p_shard and workflow = u.workflow and n = u.n
                            offset 0) s on true) u;
    more := c.workflows is not null;
    if not more then
        return;
    elsif true = all (c.unfilled) then
        more := pgjobq.forget_unfilled(p_shard, c.workflows, c.numbers);
        if more then
            return;
        end if;
        select f.queues, f.more into queues, more from pgjobq.fill_steps(p_shard, c.workflows, c.numbers) f;
        return;
    end if;
    -- step: ended steps locked
    select array_agg(workflow) as workflows, array_agg(n) as numbers, array_agg(done + 1) as low,
           array_agg(high) as high, array_agg(workflow) filter (where high = edges) as done_all,
           array_agg(n) filter (where high = edges) as done_numbers
      into v_done
      from (select workflow, n, done, edges, least(edges, done + p_most - before) as high
              from (select workflow, n, done, edges,
                           sum(edges - done) over (rows unbounded preceding)::int - (edges - done) as before
                      from unnest(c.workflows, c.numbers, c.done, c.edges, c.unfilled)
                               u(workflow, n, done, edges, unfilled)
                     where not unfilled) u
             where before < p_most) u;
    queues := pgjobq.settle_children(
        p_shard, v_done.workflows, v_done.numbers, v_done.low, v_done.high);
    perform pgjobq.note_settled(p_shard, v_done.workflows, v_done.numbers, v_done.high);
    ended := (select e.ended from pgjobq.count_ended(p_shard, v_done.done_all, v_done.done_numbers) e);
end $$;

comment on function pgjobq.settle_ended is 'Internal. Settles the edges of steps that have ended.';

-- Deletes those of some rows, which the caller has locked, whose step has ended or does not exist: no
-- argument is to be completed any more. False if there are none.
create or replace function pgjobq.forget_unfilled(p_shard smallint, p_workflow uuid[], p_n int[])
returns boolean language plpgsql as $$
begin
    delete from pgjobq.unsettled u using unnest(p_workflow, p_n) d(workflow, n)
     where u.shard = p_shard and u.workflow = d.workflow and u.n = d.n and not u.is_ended
       and not exists (select from pgjobq.steps s
                        where s.shard = p_shard and s.workflow = d.workflow and s.n = d.n
                          and s.outcome is null);
    return found;
end $$;

comment on function pgjobq.forget_unfilled is 'Internal. Deletes the notes of steps that have ended.';

-- Notes how many edges of ended steps are settled. With the last one the step is settled.
create or replace function pgjobq.note_settled(
    p_shard smallint, p_workflow uuid[], p_n int[], p_settled_to int[])
returns void language plpgsql as $$
declare
    r record;
begin
    for r in
        select u.workflow, u.n, u.settled_to, cardinality(s.children) as edges
          from unnest(p_workflow, p_n, p_settled_to) u(workflow, n, settled_to),
               lateral (select children from pgjobq.steps
                         where shard = p_shard and workflow = u.workflow and n = u.n offset 0) s
    loop
        if r.settled_to = r.edges then
            delete from pgjobq.unsettled
             where shard = p_shard and workflow = r.workflow and n = r.n and is_ended;
        else
            update pgjobq.unsettled set settled_to = r.settled_to
             where shard = p_shard and workflow = r.workflow and n = r.n and is_ended;
        end if;
    end loop;
end $$;

comment on function pgjobq.note_settled is 'Internal. Notes how many edges of ended steps are settled.';

-- Completes the arguments of steps that wait for nothing else: see `unblock_steps`. The caller has locked
-- their rows in `unsettled`. It does a hundred at most, because those that do not fit are written again. The
-- row of a step that was ended meanwhile is left to `forget_unfilled`. `more` is false if it did nothing.
create or replace function pgjobq.fill_steps(
    p_shard smallint, p_workflow uuid[], p_n int[], out queues int[], out more boolean)
language plpgsql as $$
declare
    c record;
    l record;
begin
    select array_agg(job order by job) as jobs, array_agg(workflow order by job) as workflows,
           array_agg(n order by job) as numbers
      into c
      from unnest(p_workflow[:100], p_n[:100]) u(flow, number),
           lateral (select job, workflow, n from pgjobq.steps
                     where shard = p_shard and workflow = u.flow and n = u.number offset 0) s;
    l := pgjobq.lock_blocked(p_shard, c.jobs);
    more := l.places is not null;
    for i in 1..coalesce(cardinality(l.places), 0) loop
        l.waits[i] := l.waits[i] - 1;
        delete from pgjobq.unsettled
         where shard = p_shard and workflow = c.workflows[l.places[i]] and n = c.numbers[l.places[i]]
           and not is_ended;
    end loop;
    queues := pgjobq.unblock_steps(
        p_shard, array(select c.jobs[i] from unnest(l.places) i),
        array(select c.workflows[i] from unnest(l.places) i),
        array(select c.numbers[i] from unnest(l.places) i), l.addresses, l.waits, null);
end $$;

comment on function pgjobq.fill_steps is 'Internal. Completes the arguments of steps.';
