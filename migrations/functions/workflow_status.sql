-- The status of a workflow, for handles and for people.

-- The state of a workflow, and its steps by state, as JSON. Times are microseconds since 1970. No row if it
-- is not there.
create or replace function pgjobq.workflow_status(p_shard smallint, p_workflow uuid)
returns table (name text, outcome text, live int, roles int, failed int, size int, created_at bigint,
               ended_at bigint, deadline bigint, cancelled_by text, cancelled_for text, steps text)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
    return query
    select w.name, w.outcome, w.live, w.roles, w.failed, w.size,
           (extract(epoch from w.created_at) * 1000000)::bigint,
           (extract(epoch from w.ended_at) * 1000000)::bigint,
           (extract(epoch from w.deadline) * 1000000)::bigint, w.cancelled->>'by', w.cancelled->>'reason',
           (select jsonb_object_agg(s.state, s.steps)::text
              from (select c.state, count(*) as steps
                      from pgjobq.states_of_steps(p_shard, p_workflow, 0, null) c group by c.state) s)
      from pgjobq.workflows w
     where w.shard = p_shard and w.id = p_workflow;
end $$;

comment on function pgjobq.workflow_status is 'Internal. How a workflow stands.';

-- The next `p_most` steps (null: all) of a workflow after this number, with their edges.
create or replace function pgjobq.workflow_steps(p_shard smallint, p_workflow uuid, p_after int, p_most int)
returns table (n int, job uuid, kind text, name text, role text, state text, children int[], demands text)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
    return query
    select s.n, s.job, s.kind, s.name, s.role, c.state, s.children, s.demands
      from pgjobq.states_of_steps(p_shard, p_workflow, p_after, p_most) c,
           lateral (select n, job, kind, name, role, children, demands from pgjobq.steps
                     where shard = p_shard and workflow = p_workflow and n = c.n offset 0) s
     order by s.n;
end $$;

comment on function pgjobq.workflow_steps is 'Internal. The steps of a workflow, and their edges.';

-- The states of the next `p_most` steps after this number. A step of which all that it waits for is a
-- person's decision is held.
create or replace function pgjobq.states_of_steps(p_shard smallint, p_workflow uuid, p_after int, p_most int)
returns table (n int, state text) language sql stable as $$
    select s.n, coalesce(s.outcome,
                         case when j.waits_for = s.held and s.held > 0 then 'held'
                              when j.waits_for > 0 then 'blocked'
                              when j.run_at is not null then 'scheduled'
                              when j.ticket is null and j.priority is not null then 'limited'
                              when exists (select from pgjobq.leases l
                                            where l.shard = p_shard and l.queue_id = j.queue_id
                                              and l.priority = j.priority and l.max_ticket >= j.ticket
                                              and l.tickets @> j.ticket) then 'running'
                              else 'ready' end)
      from (select n, job, outcome, held from pgjobq.steps
             where shard = p_shard and workflow = p_workflow and n > p_after order by n limit p_most) s
           left join lateral (select waits_for, run_at, queue_id, priority, ticket from pgjobq.jobs
                               where shard = p_shard and id = s.job and s.outcome is null offset 0) j on true
$$;

comment on function pgjobq.states_of_steps is 'Internal. The states of the steps of a workflow.';

-- The state of a blocked job: held if all that it waits for is a person's decision.
create or replace function pgjobq.blocked_state(p_shard smallint, p_meta jsonb, p_waits_for int) returns text
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    if p_meta ? 'workflow' then
        perform from pgjobq.steps
          where shard = p_shard and workflow = pgjobq.workflow_of(p_meta)
            and n = pgjobq.number_of_step(p_meta) and held = p_waits_for;
    end if;
    return case when p_meta ? 'workflow' and found then 'held' else 'blocked' end;
end $$;

comment on function pgjobq.blocked_state is 'Internal. The state of a blocked job: blocked or held.';
