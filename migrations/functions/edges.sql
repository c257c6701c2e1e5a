-- Edges between jobs that are not in one workflow: a child waits for jobs that were enqueued before it.
--
-- The transaction that enqueues a child may be a caller's, so it locks no parent. A parent may end between
-- that transaction's look at it and its commit, and then its end does not see the edge. So a new edge is not
-- *confirmed*: a short transaction of ours looks again after the commit. It locks the parent's row for key
-- share, so that the end of the parent comes later and sees the edge; or it finds that the parent has ended.
--
-- The end of a parent that has edges adds one row to `ended_parents`. A worker settles the edges of those in
-- bounded transactions of their own: it cancels the children whose demand is not met, and subtracts from
-- `waits_for` of the others. A child whose `waits_for` reaches zero is ready.
--
-- Cycles cannot be made: a parent exists before the statement that enqueues its child.

-- The edges of new jobs. `p_edges` is a JSON array of {"child": its place in `p_id`, "parent": its id,
-- "demand": a letter, "unkept": true if nothing is kept of the parent once it has completed, "kinds": what
-- its kind may be, if the caller knows}. Several edges between the same two jobs are one. An edge whose
-- demand is met already is left out. `waits_for` is the sum of `p_waits_for` and the number of edges, for
-- each job. `refused` has the parents that are of another kind, with their kind, and those that are not
-- there, with null: {"id": "kind"}. Those of entries without a child are among them. It is null if there are
-- none.
create or replace function pgjobq.new_edges(
    p_now timestamptz, p_shards smallint, p_id uuid[], p_edges jsonb, p_waits_for int[],
    out edges pgjobq.edges[], out waits_for int[], out refused jsonb)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    select array_agg(row(e.shard, pgjobq.shard_of(p_id[e.child], p_shards), e.demand, false, e.parent,
                         p_id[e.child], coalesce(live.created_at, ended.created_at), p_now)::pgjobq.edges
                     order by e.parent, e.child)
               filter (where e.child is not null
                         and (live.id is not null or ended.outcome <> 'completed' and e.demand <> 'a')),
           jsonb_object_agg(e.parent, coalesce(live.kind, ended.kind))
               filter (where live.id is null and ended.outcome is null and not e.unkept
                          or e.kinds is not null
                         and exists (select from jsonb_array_elements(e.kinds) known
                                      where not known ? coalesce(live.kind, ended.kind)))
      into edges, refused
      from (select child, parent, pgjobq.shard_of(parent, p_shards) as shard,
                   jsonb_agg(kinds) filter (where kinds is not null) as kinds,
                   case when bool_or(demand = 'o') then 'o' when bool_or(demand = 'h') then 'h'
                        else 'a' end::"char" as demand,
                   coalesce(bool_or(unkept), false) as unkept
              from jsonb_to_recordset(p_edges)
                       r(child int, parent uuid, demand text, unkept boolean, kinds jsonb)
             group by child, parent
            offset 0) e
      left join lateral pgjobq.job_row(e.shard, e.parent) live on true
      left join lateral (select f.outcome, f.kind, f.created_at from pgjobq.finished f
                          where f.shard = e.shard and f.id = e.parent and live.id is null
                          order by f.finished_at desc limit 1) ended on true;
    waits_for := array(select coalesce(d.waits_for, 0) + coalesce(c.count, 0)
                         from unnest(p_id, p_waits_for) with ordinality d(id, waits_for, n)
                         left join (select child, count(*)::int from unnest(new_edges.edges) group by child) c
                           on c.child = d.id
                        order by d.n);
end $$;

comment on function pgjobq.new_edges is 'Internal. The edges of new jobs.';

-- Inserts the edges of jobs that were inserted just now: a job that was live already keeps the edges that it
-- has. With `p_notify` the commit wakes a worker that confirms them.
create or replace function pgjobq.insert_edges(p_edges pgjobq.edges[], p_notify boolean)
returns void language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    insert into pgjobq.edges (shard, child_shard, demand, is_confirmed, parent, child, parent_created_at,
                              child_created_at)
    select e.shard, e.child_shard, e.demand, e.is_confirmed, e.parent, e.child, e.parent_created_at,
           e.child_created_at
      from unnest(p_edges) e,
           lateral pgjobq.job_row(e.child_shard, e.child) j
     where j.created_at = e.child_created_at;
    if p_notify then
        perform pg_notify(pgjobq.channel(), 'edges some');
    end if;
end $$;

comment on function pgjobq.insert_edges is 'Internal. Inserts the edges of new jobs.';

-- Rejects a job of `enqueue` that would wait for itself, or for jobs that do not exist.
create or replace function pgjobq.reject_parents(p_job uuid, p_after uuid[], p_refused jsonb)
returns void language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if p_job = any (p_after) then
        raise exception 'job % would wait for itself, and never run', p_job
            using errcode = 'invalid_parameter_value', hint = 'Give it another id.';
    elsif p_refused is not null then
        raise exception 'job % cannot wait for job %, which does not exist in this schema', p_job,
            (select min(parent) from jsonb_object_keys(p_refused) parent)
            using errcode = 'undefined_object',
                hint = 'Enqueue that one first. Of a job that is not kept, nothing is left once it has '
                       'completed.';
    end if;
end $$;

comment on function pgjobq.reject_parents is 'Internal. Rejects parents that a job cannot have.';

-- Records the ends of jobs that have edges. The caller has deleted the jobs' rows in an earlier statement: so
-- this one sees every edge that was confirmed before. Returns true if there are edges to settle or to
-- confirm.
--
-- An edge that is not confirmed may be to an earlier life of the job. If that has no record, `confirm_edges`
-- finds out what is known of its end.
create or replace function pgjobq.end_parents(p_shard smallint, p_jobs uuid[])
returns boolean language plpgsql as $$
begin
    if not exists (select from pgjobq.edges where shard = p_shard) then
        return false;
    end if;
    insert into pgjobq.ended_parents (shard, parent, created_at, outcome)
    select p_shard, e.parent, e.parent_created_at, e.outcome
      from (select distinct d.id from unnest(p_jobs) d(id)) d,
           lateral (select parent, parent_created_at,
                           coalesce(pgjobq.outcome_of(p_shard, parent, parent_created_at),
                                    case when bool_or(is_confirmed) then 'completed' end) as outcome
                      from pgjobq.edges
                     where shard = p_shard and parent = d.id
                     group by parent, parent_created_at offset 0) e
     where e.outcome is not null
       and not exists (select from pgjobq.job_row(p_shard, e.parent) j
                        where j.created_at = e.parent_created_at)
    on conflict do nothing;
    return found or exists (select from unnest(p_jobs) d(id),
                                   lateral (select from pgjobq.edges
                                             where shard = p_shard and parent = d.id limit 1) e);
end $$;

comment on function pgjobq.end_parents is 'Internal. Records the ends of jobs that have edges.';

-- Returns the outcome of a job that is no longer live; null if it has no record.
create or replace function pgjobq.outcome_of(p_shard smallint, p_job uuid, p_created_at timestamptz)
returns text language plpgsql stable as $$
begin
    return (select f.outcome
              from (select outcome, created_at, finished_at from pgjobq.finished
                     where shard = p_shard and id = p_job offset 0) f
             where f.created_at = p_created_at order by f.finished_at desc limit 1);
end $$;

comment on function pgjobq.outcome_of is 'Internal. The outcome of a job that is no longer live.';

-- Confirms about `p_most` edges, parent by parent. It waits for no lock: a parent that another session has
-- locked may be completing, and is left to the next look. The look goes on behind it, so its edges delay no
-- others. `more` is true if it should be called again.
create or replace function pgjobq.confirm_edges(p_shard smallint, p_most int, out more boolean)
language plpgsql as $$
declare
    v_parent uuid := '00000000-0000-0000-0000-000000000000';
    v_created_at timestamptz := '-infinity';
    v_left int := p_most;
    v_edges int;
    v_outcome text;
begin
    more := false;
    while v_left > 0 loop
        select parent, parent_created_at into v_parent, v_created_at from pgjobq.edges
         where shard = p_shard and not is_confirmed
           and (parent, parent_created_at) > (v_parent, v_created_at)
         order by parent, parent_created_at limit 1;
        exit when not found;
        perform from pgjobq.jobs
          where shard = p_shard and id = v_parent and created_at = v_created_at for key share skip locked;
        if found then
            -- step: parent locked
            update pgjobq.edges set is_confirmed = true
             where shard = p_shard and parent = v_parent and parent_created_at = v_created_at
               and not is_confirmed;
            get diagnostics v_edges = row_count;
            more := true;
        else
            continue when exists (select from pgjobq.job_row(p_shard, v_parent) j
                                   where j.created_at = v_created_at);
            v_outcome := pgjobq.outcome_of(p_shard, v_parent, v_created_at);
            -- step: end looked up
            -- What was deleted before that statement is noted for this one.
            insert into pgjobq.ended_parents (shard, parent, created_at, outcome)
            values (p_shard, v_parent, v_created_at,
                    coalesce(v_outcome, pgjobq.outcome_without_record(p_shard, v_parent, v_created_at)))
            on conflict do nothing;
            v_edges := 1;   -- `settle_edges` deals with them, whether they are confirmed or not
            more := more or found;
        end if;
        v_left := v_left - v_edges;
    end loop;
    more := more and v_left <= 0;
end $$;

comment on function pgjobq.confirm_edges is
    'Internal. Makes sure that the ends of parents see the edges of new children.';

-- Settles at most `p_most` edges of parents that have ended. Returns the children that it has cancelled, the
-- queues in which children became ready (0: or scheduled), and whether it should be called again.
create or replace function pgjobq.settle_edges(
    p_shard smallint, p_most int, out cancelled uuid[], out queues int[], out more boolean)
language plpgsql as $$
declare
    c_parents constant int := 100;
    v_parents pgjobq.ended_parents[];
    v_edges pgjobq.edges[];
    r record;
begin
    v_parents := array(select p from pgjobq.ended_parents p
                        where p.shard = p_shard order by p.parent limit c_parents for update skip locked);
    -- step: ended parents locked
    v_edges := array(select e
                       from unnest(v_parents) p,
                            lateral (select * from pgjobq.edges
                                      where shard = p_shard and parent = p.parent offset 0) e
                      where e.parent_created_at = p.created_at
                      limit p_most);
    more := cardinality(v_edges) >= p_most or cardinality(v_parents) >= c_parents;
    for r in
        select d.shard, t.cancelled, t.queues, t.more
          from (select distinct child_shard as shard from unnest(v_edges) e order by 1 offset 0) d,
               lateral pgjobq.settle_outside(d.shard, v_parents, v_edges) t
    loop
        cancelled := cancelled || r.cancelled;
        queues := queues || r.queues;
        more := more or r.more;
    end loop;
    delete from pgjobq.edges e using unnest(v_edges) d
     where e.shard = d.shard and e.parent = d.parent and e.child = d.child
       and e.child_created_at = d.child_created_at;
    if cardinality(v_edges) < p_most then
        delete from pgjobq.ended_parents e using unnest(v_parents) d
         where e.shard = d.shard and e.parent = d.parent and e.created_at = d.created_at;
    end if;
end $$;

comment on function pgjobq.settle_edges is 'Internal. Settles edges of parents that have ended.';

-- Settles edges to the children of one shard. Each child subtracts the edges that are met from its
-- `waits_for`, under the lock of its row, and is ready at zero. A child whose parent did not end as it
-- demands is cancelled, or held.
create or replace function pgjobq.settle_outside(
    p_shard smallint, p_parents pgjobq.ended_parents[], p_edges pgjobq.edges[],
    out cancelled uuid[], out queues int[], out more boolean)
language plpgsql as $$
declare
    j record;       -- jobs to unblock
    s record;       -- steps to unblock
    f record;       -- jobs to cancel
begin
    perform pgjobq.lock_blocked(p_shard, array(select distinct child from unnest(p_edges) e
                                                where child_shard = p_shard order by child));
    -- step: children locked
    select array_agg(id order by id) as ids, array_agg(address order by id) as addresses,
           array_agg(waits order by id) as waits
      into j from pgjobq.children_of_ended(p_shard, p_parents, p_edges)
     where workflow is null and fatal is null;
    select array_agg(id order by id) as ids, array_agg(address order by id) as addresses,
           array_agg(waits order by id) as waits, array_agg(workflow order by id) as workflows,
           array_agg(n order by id) as numbers, array_agg(held order by id) as held
      into s from pgjobq.children_of_ended(p_shard, p_parents, p_edges)
     where workflow is not null and fatal is null;
    select array_agg(id order by id) as ids,
           array_agg(pgjobq.describe_end(p_parents[fatal]) order by id) as reasons
      into f from pgjobq.children_of_ended(p_shard, p_parents, p_edges) where fatal is not null;
    more := false;
    queues := pgjobq.unblock_jobs(p_shard, j.ids, j.addresses, j.waits);
    if s.ids is not null then
        perform pgjobq.hold_steps(p_shard,
                                  array(select w from unnest(s.workflows, s.held) u(w, h) where h > 0),
                                  array(select n from unnest(s.numbers, s.held) u(n, h) where h > 0),
                                  array(select h from unnest(s.held) h where h > 0), true);
        queues := queues || pgjobq.unblock_steps(p_shard, s.ids, s.workflows, s.numbers, s.addresses, s.waits,
                                                 null);
        more := exists (select from pgjobq.unsettled where shard = p_shard);
    end if;
    if f.ids is not null then
        cancelled := f.ids;
        more := true;
        perform pgjobq.end_waiting(p_shard, f.ids, 'cancel', 'the end of its parent', p_reasons => f.reasons);
    end if;
end $$;

comment on function pgjobq.settle_outside is 'Internal. Settles edges to the children of one shard.';

-- The children of one shard that are still blocked, and what the ends of their parents mean to them: `waits`
-- is their new `waits_for`, `held` the number of parents that hold them, and `fatal` the place of a parent
-- that ends them.
create or replace function pgjobq.children_of_ended(
    p_shard smallint, p_parents pgjobq.ended_parents[], p_edges pgjobq.edges[])
returns table (id uuid, address tid, waits int, workflow uuid, n int, held int, fatal int)
language plpgsql stable as $$
#variable_conflict use_column
begin
    return query
    select e.child, j.address, j.waits_for - e.met, pgjobq.workflow_of(j.meta), pgjobq.number_of_step(j.meta),
           e.held, e.fatal
      from (select u.child, u.child_created_at,
                   count(*) filter (where u.demand = 'a' or p.outcome = 'completed')::int as met,
                   count(*) filter (where u.demand = 'h' and p.outcome <> 'completed')::int as held,
                   min(p.place) filter (where u.demand = 'o' and p.outcome <> 'completed')::int as fatal
              from unnest(p_edges) u
                   join unnest(p_parents) with ordinality p(shard, parent, created_at, outcome, place)
                     on p.parent = u.parent and p.created_at = u.parent_created_at
             where u.child_shard = p_shard
             group by u.child, u.child_created_at offset 0) e,
           lateral (select ctid as address, waits_for, meta, created_at from pgjobq.jobs
                     where shard = p_shard and id = e.child offset 0) j
     where j.created_at = e.child_created_at and j.waits_for >= e.met and j.waits_for > 0;
end $$;

comment on function pgjobq.children_of_ended is 'Internal. The children of parents that have ended.';

-- Describes the bad end of a parent, as the reason of its child's cancellation.
create or replace function pgjobq.describe_end(p_parent pgjobq.ended_parents)
returns text language plpgsql stable as $$
begin
    return coalesce((
        select format('its parent `%s` (%s) is %s%s', f.kind, f.id, f.outcome,
                      ': ' || left(coalesce(f.errors->-1->>'message', f.cancelled->>'reason'), 1000))
          from (select kind, id, outcome, errors, cancelled, created_at, finished_at from pgjobq.finished
                 where shard = p_parent.shard and id = p_parent.parent offset 0) f
         where f.created_at = p_parent.created_at order by f.finished_at desc limit 1),
        format(case when p_parent.outcome = 'unknown'
                    then 'its parent (%s) has ended, and nobody knows how: the record was deleted, or the '
                         'job was requeued, before this one was committed'
                    else 'its parent (%s) is ' || p_parent.outcome end, p_parent.parent));
end $$;

comment on function pgjobq.describe_end is 'Internal. Describes the bad end of a parent.';
