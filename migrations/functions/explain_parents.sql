-- The parents that a blocked job waits for, and how they stand.

-- Explains a blocked job: it waits for parents, for the other steps of its workflow, or for a person.
create or replace function pgjobq.explain_parents(p_job pgjobq.jobs)
returns table (code text, sentence text, details jsonb) language plpgsql stable as $$
#variable_conflict use_column
declare
    v_workflow uuid := pgjobq.workflow_of(p_job.meta);
    v_step record;
    v_told text;
    v_parents jsonb;
    v_count bigint;
    v_named int;
begin
    select s.role, s.held, s.held_outside, w.live into v_step
      from (select shard, workflow, role, held, held_outside from pgjobq.steps
             where shard = p_job.shard and workflow = v_workflow and n = pgjobq.number_of_step(p_job.meta)
            offset 0) s,
           lateral (select live from pgjobq.workflows
                     where shard = s.shard and id = s.workflow offset 0) w;
    select string_agg(format('job %s%s is %s', p.id, coalesce(' (`' || p.name || '`)', ''), p.state), '; '),
           jsonb_agg(jsonb_build_object('job', p.id, 'name', p.name, 'state', p.state)),
           coalesce(max(p.count), 0)
      into v_told, v_parents, v_count from pgjobq.parents_of(p_job, 10) p;
    if v_step.role is null and v_count < p_job.waits_for and pgjobq.has_many_edges() then
        v_count := p_job.waits_for;
    end if;
    v_named := coalesce(jsonb_array_length(v_parents), 0);
    v_told := coalesce(v_told, 'too many jobs wait for others to find out for which')
              || case when v_count > v_named and v_named > 0
                      then '; and ' || pgjobq.counted(v_count - v_named, 'other') else '' end;
    details := jsonb_build_object('workflow', v_workflow, 'parents', coalesce(v_parents, '[]'),
                                  'count', v_count);
    code := case when v_step.held = p_job.waits_for then 'held' when v_count > 0 then 'blocked'
                 when v_step.role is not null and v_step.live > 0 then 'blocked_by_workflow'
                 else 'unsettled' end;
    sentence := case code
        when 'held' then format('It is held until a person decides: %s. %s the step, or cancel it.',
            case when v_named = 0 then 'a job outside its workflow did not complete' else v_told end,
            case when v_step.held > v_step.held_outside then 'Retry the workflow, resume' else 'Resume' end)
        when 'blocked' then format('It waits for %s: %s.', pgjobq.counted(v_count, 'parent'), v_told)
        when 'blocked_by_workflow' then format('It waits for the other steps of its workflow: %s not ended.',
            case when v_step.live = 1 then 'one has' else v_step.live || ' have' end)
        else 'Its parents have ended, and the next look of a worker settles that.' end;
    details := details || jsonb_build_object('live', v_step.live);
    return next;
end $$;

comment on function pgjobq.explain_parents is 'Internal. Explains what a blocked job waits for.';

-- The first `p_most` parents that a job waits for, and the number of all. Those that ended as the job demands
-- are left out. No index leads from a child to its parents: all steps of the workflow are read, and of the
-- edges outside of workflows the first ten thousand of each shard: see `has_many_edges`.
create or replace function pgjobq.parents_of(p_job pgjobq.jobs, p_most int)
returns table (id uuid, name text, state text, count bigint) language plpgsql stable as $$
#variable_conflict use_column
declare
    v_workflow uuid := pgjobq.workflow_of(p_job.meta);
    v_step int := pgjobq.number_of_step(p_job.meta);
    v_holds record;
begin
    select s.held - s.held_outside as inside, s.held_outside as outside, s.outside as parents into v_holds
      from pgjobq.steps s where s.shard = p_job.shard and s.workflow = v_workflow and s.n = v_step;
    return query
    select p.job, coalesce(p.name, j.kind), coalesce(p.outcome, j.state, 'not there'), p.count
      from (select u.shard, u.job, u.name, u.outcome, count(*) over () as count
              from (select p_job.shard, s.job, coalesce(s.name, s.kind) as name, s.outcome
                      from pgjobq.steps s
                     where s.shard = p_job.shard and s.workflow = v_workflow and v_step = any (s.children)
                       and (s.outcome is null or s.outcome <> 'completed'
                            and case lower(substr(s.demands, array_position(s.children, v_step), 1))
                                when 'o' then true when 'h' then v_holds.inside > 0 end)
                    union all
                    select e.shard, e.parent, null, null
                      from pgjobq.settings, generate_series(0, shards - 1) n,
                           lateral (select shard, parent, parent_created_at, child, child_created_at, demand
                                      from pgjobq.edges where shard = n order by parent limit 10000) e
                     where e.child = p_job.id and e.child_created_at = p_job.created_at
                       and not exists (select from pgjobq.ended_parents p
                                        where p.shard = e.shard and p.parent = e.parent
                                          and p.created_at = e.parent_created_at
                                          and (p.outcome = 'completed' or e.demand = 'a'))
                    union all
                    select h.shard, h.job, null, null from pgjobq.holders_outside(p_job, v_holds.parents) h
                     where v_holds.outside > 0) u
             limit p_most) p
           left join lateral (select state, kind from pgjobq.job_states
                               where shard = p.shard and id = p.job and p.outcome is null
                               order by finished_at desc nulls first limit 1) j on true;
end $$;

comment on function pgjobq.parents_of is 'Internal. The parents that a job waits for, and their states.';

-- The parents outside of its workflow that hold a step unless they complete, and have not completed. Their
-- edges are gone once the step knows the end. `p_parents` is `steps.outside`.
create or replace function pgjobq.holders_outside(p_job pgjobq.jobs, p_parents jsonb)
returns table (shard smallint, job uuid) language plpgsql stable as $$
#variable_conflict use_column
begin
    return query
    select p.shard, p.parent
      from (select distinct pgjobq.shard_of(o.parent, s.shards) as shard, o.parent
              from pgjobq.settings s, jsonb_to_recordset(p_parents) o(parent uuid, demand text)
             where o.demand = 'h') p
     where not exists (select from pgjobq.edges e where e.shard = p.shard and e.parent = p.parent
                          and e.child = p_job.id)
       and not exists (select from pgjobq.job_states j
                        where j.shard = p.shard and j.id = p.parent and j.state = 'completed');
end $$;

comment on function pgjobq.holders_outside is 'Internal. The parents outside its workflow that hold a step.';

-- True if a shard has more edges than `parents_of` reads.
create or replace function pgjobq.has_many_edges() returns boolean language plpgsql stable as $$
begin
    return exists (select from pgjobq.settings, generate_series(0, shards - 1) n,
                               lateral (select from pgjobq.edges where shard = n order by parent
                                        offset 10000 limit 1) e);
end $$;

comment on function pgjobq.has_many_edges is
    'Internal. Whether there are too many edges to find the parents of a job.';
