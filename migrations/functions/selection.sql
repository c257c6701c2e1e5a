-- Selections: all jobs that match a filter, in one order for counts, lists and actions: list by list, shard
-- by shard, and there by id, or by the time of the end. A walk goes on after a place, and never passes
-- again what it has passed.

-- The next at most `p_most` jobs of a selection from a place on, in one shard of one list. It reads at most
-- `p_rows` rows. `next` is where to go on, and null at the end; before that, `ids` may be empty.
create or replace function pgjobq.next_matches(
    s pgjobq.selection, p_place pgjobq.place, p_rows int, p_most int, out ids uuid[], out next pgjobq.place)
language plpgsql stable as $$
declare
    v_list text := s.lists[p_place.list];
    v_equality int := pgjobq.indexed_equality(s.attributes);
    v_last uuid;
    v_last_at timestamptz;
begin
    if s.ids is not null or v_list = 'running' then
        select w.ids, w.last into ids, v_last
          from pgjobq.walk_named(s, v_list, p_place.shard, p_place.id, p_rows, p_most) w;
    elsif v_list in ('live', 'ended') and v_equality is not null then
        select w.ids, w.last into ids, v_last
          from pgjobq.walk_attribute(s, v_equality, v_list, p_place.shard, p_place.id, p_rows, p_most) w;
    elsif v_list = 'live' then
        select w.ids, w.last into ids, v_last
          from pgjobq.walk_live(s, p_place.shard, p_place.id, p_rows, p_most) w;
    elsif v_list = 'ended' then
        select w.ids, w.last into ids, v_last
          from pgjobq.walk_ended(s, p_place.shard, p_place.id, p_rows, p_most) w;
    else
        select w.ids, w.last_at, w.last into ids, v_last_at, v_last
          from pgjobq.walk_ended_badly(s, v_list, p_place, p_rows, p_most) w;
    end if;
    if v_last is not null then
        next := row(p_place.list, p_place.shard, v_last_at, v_last);
    elsif p_place.shard + 1 < (select shards from pgjobq.settings) then
        next := row(p_place.list, p_place.shard + 1, null, null);
    elsif p_place.list < cardinality(s.lists) then
        next := row(p_place.list + 1, 0, null, null);
    end if;
end $$;

comment on function pgjobq.next_matches is 'Internal. Finds the next jobs of a selection.';

-- The next jobs that have not ended, after the id `p_after` (null: from the first one). `last` is the id to
-- go on after, and null at the end.
create or replace function pgjobq.walk_live(
    s pgjobq.selection, p_shard smallint, p_after uuid, p_rows int, p_most int, out ids uuid[], out last uuid)
language plpgsql stable as $$
declare
    v_from uuid := coalesce(p_after, '00000000-0000-0000-0000-000000000000');   -- an id, too
begin
    ids := array(
        select w.id
          from (select * from pgjobq.jobs
                 where shard = p_shard and id >= v_from and (p_after is null or id <> p_after)
                 order by id limit p_rows) w
         where pgjobq.live_matches(s, w.shard, w.created_at, w.attributes, w.id, w.kind, w.queue_id,
                                   w.key, w.priority, w.attempt, w.waits_for, w.run_at, w.ticket, w.meta)
         limit p_most);
    last := coalesce(ids[p_most], (
        select id from pgjobq.jobs
         where shard = p_shard and id >= v_from and (p_after is null or id <> p_after)
         order by id offset p_rows - 1 limit 1));
end $$;

comment on function pgjobq.walk_live is 'Internal. Finds the next jobs of a selection that have not ended.';

-- The same of jobs that have ended, with any outcome. An id that has ended more than once is found once.
create or replace function pgjobq.walk_ended(
    s pgjobq.selection, p_shard smallint, p_after uuid, p_rows int, p_most int, out ids uuid[], out last uuid)
language plpgsql stable as $$
declare
    v_from uuid := coalesce(p_after, '00000000-0000-0000-0000-000000000000');
begin
    ids := array(
        select w.id
          from (select * from pgjobq.finished
                 where shard = p_shard and id >= v_from and (p_after is null or id <> p_after)
                 order by id limit p_rows) w
         where pgjobq.ended_matches(
                   s, w.created_at, w.finished_at, w.attributes, w.id, w.kind, w.queue_id, w.key, w.outcome,
                   w.priority, w.attempt, w.errors)
         limit p_most);
    last := coalesce(ids[p_most], (
        select id from pgjobq.finished
         where shard = p_shard and id >= v_from and (p_after is null or id <> p_after)
         order by id offset p_rows - 1 limit 1));
    ids := array(select distinct id from unnest(ids) d(id) order by id);
end $$;

comment on function pgjobq.walk_ended is 'Internal. Finds the next jobs of a selection that have ended.';

-- The same of jobs with one outcome that is not `completed`, in the order of their ends. The index has no
-- others, so a million completed jobs are not in the way.
create or replace function pgjobq.walk_ended_badly(
    s pgjobq.selection, p_outcome text, p_place pgjobq.place, p_rows int, p_most int,
    out ids uuid[], out last_at timestamptz, out last uuid)
language plpgsql stable as $$
declare
    v_at timestamptz := coalesce(p_place.at, '-infinity');
    v_id uuid := coalesce(p_place.id, '00000000-0000-0000-0000-000000000000');
    v_ends timestamptz[];
begin
    select coalesce(array_agg(m.id), '{}'), array_agg(m.finished_at) into ids, v_ends
      from (select w.id, w.finished_at
              from (select * from pgjobq.finished
                     where shard = p_place.shard and outcome = p_outcome and outcome <> 'completed'
                       and (finished_at, id) > (v_at, v_id) and finished_at <= s.before
                     order by finished_at, id limit p_rows) w
             where pgjobq.ended_matches(
                   s, w.created_at, w.finished_at, w.attributes, w.id, w.kind, w.queue_id, w.key, w.outcome,
                   w.priority, w.attempt, w.errors)
             limit p_most) m;
    last := ids[p_most];
    last_at := v_ends[p_most];
    if last is null then
        select finished_at, id into last_at, last from pgjobq.finished
         where shard = p_place.shard and outcome = p_outcome and outcome <> 'completed'
           and (finished_at, id) > (v_at, v_id) and finished_at <= s.before
         order by finished_at, id offset p_rows - 1 limit 1;
    end if;
end $$;

comment on function pgjobq.walk_ended_badly is
    'Internal. Finds the next dead, cancelled or expired jobs of a selection.';

-- The place of the first of some attributes that is indexed; null if none is. Every part of its index has to
-- be there: without one a walk along it would read all jobs.
create or replace function pgjobq.indexed_equality(p_attributes text[]) returns int
language plpgsql stable as $$
begin
    return (select a.place
              from unnest(p_attributes) with ordinality a(name, place),
                   lateral (select from pgjobq.attribute_indexes where attribute = a.name) wanted,
                   lateral (select bool_and(is_valid) as is_ready
                              from pgjobq.attribute_index_parts(a.name)) parts
             where parts.is_ready
             order by a.place limit 1);
end $$;

comment on function pgjobq.indexed_equality is 'Internal. Finds the first attribute that is indexed.';

-- The same of live or ended jobs that have one attribute of the selection with its value, by id. It is
-- planned anew in each call, with the attribute as a constant, so that the expression is that of its index.
-- Only that index has the order.
create or replace function pgjobq.walk_attribute(
    s pgjobq.selection, p_equality int, p_list text, p_shard smallint, p_after uuid, p_rows int, p_most int,
    out ids uuid[], out last uuid)
language plpgsql stable set plan_cache_mode = force_custom_plan as $$
declare
    v_attribute text := s.attributes[p_equality];
    v_hash bigint := jsonb_hash_extended(s.values[p_equality], 0);
    v_from uuid := coalesce(p_after, '00000000-0000-0000-0000-000000000000');
    v_walked uuid[];
begin
    if p_list = 'live' then
        v_walked := array(
            select id from pgjobq.jobs
             where shard = p_shard and attributes ? v_attribute
               and (jsonb_hash_extended(attributes -> v_attribute, 0), id) >= (v_hash, v_from)
               and jsonb_hash_extended(attributes -> v_attribute, 0) <= v_hash
               and (p_after is null or id <> p_after)
             order by jsonb_hash_extended(attributes -> v_attribute, 0), id limit p_rows);
        ids := (pgjobq.still_live(s, p_shard, v_walked))[:p_most];
    else
        v_walked := array(
            select id from pgjobq.finished
             where shard = p_shard and attributes ? v_attribute
               and (jsonb_hash_extended(attributes -> v_attribute, 0), id) >= (v_hash, v_from)
               and jsonb_hash_extended(attributes -> v_attribute, 0) <= v_hash
               and (p_after is null or id <> p_after)
             order by jsonb_hash_extended(attributes -> v_attribute, 0), id limit p_rows);
        ids := (pgjobq.ended_ever(s, p_shard, v_walked, null))[:p_most];
    end if;
    last := coalesce(ids[p_most], v_walked[p_rows]);
end $$;

comment on function pgjobq.walk_attribute is
    'Internal. Finds the next jobs of a selection along the index by an attribute.';

-- The same of jobs that the selection names by id, or of those that run.
create or replace function pgjobq.walk_named(
    s pgjobq.selection, p_list text, p_shard smallint, p_after uuid, p_rows int, p_most int, out ids uuid[],
    out last uuid)
language plpgsql stable as $$
declare
    v_named uuid[] := array(
        select distinct n.id
          from unnest(coalesce(s.ids, pgjobq.running_jobs(p_shard))) n(id), pgjobq.settings
         where pgjobq.shard_of(n.id, shards) = p_shard and (p_after is null or n.id > p_after)
         order by n.id limit p_rows);
begin
    ids := array(select id from unnest(case when p_list in ('live', 'running')
                                            then pgjobq.still_live(s, p_shard, v_named)
                                            else pgjobq.ended_ever(s, p_shard, v_named,
                                                                   nullif(p_list, 'ended')) end) d(id)
                  limit p_most);
    last := coalesce(ids[p_most], v_named[p_rows]);
end $$;

comment on function pgjobq.walk_named is 'Internal. Finds the next jobs that a selection names.';

-- Returns those of some jobs that have not ended and match now, in the order of their ids.
create or replace function pgjobq.still_live(s pgjobq.selection, p_shard smallint, p_jobs uuid[])
returns uuid[] language plpgsql stable as $$
begin
    return array(select w.id
                   from unnest(p_jobs) d(id),
                        lateral pgjobq.job_row(p_shard, d.id) w
                  where pgjobq.live_matches(s, w.shard, w.created_at, w.attributes, w.id, w.kind, w.queue_id,
                                   w.key, w.priority, w.attempt, w.waits_for, w.run_at, w.ticket, w.meta)
                  order by w.id);
end $$;

comment on function pgjobq.still_live is 'Internal. Finds those of some live jobs that match now.';

-- Returns those of some jobs of which an end matches, with that outcome (null: any), in the order of their
-- ids. An id may have ended more than once: no walk looks at the latest end alone.
create or replace function pgjobq.ended_ever(
    s pgjobq.selection, p_shard smallint, p_jobs uuid[], p_outcome text)
returns uuid[] language plpgsql stable as $$
begin
    return array(select d.id
                   from (select distinct id from unnest(p_jobs) j(id)) d
                  where exists (
                      select from (select * from pgjobq.finished f
                                    where f.shard = p_shard and f.id = d.id offset 0) w
                       where (p_outcome is null or w.outcome = p_outcome)
                         and pgjobq.ended_matches(
                             s, w.created_at, w.finished_at, w.attributes, w.id, w.kind, w.queue_id, w.key,
                             w.outcome, w.priority, w.attempt, w.errors))
                  order by d.id);
end $$;

comment on function pgjobq.ended_ever is 'Internal. Finds those of some jobs of which an end matches.';

-- Returns those of some jobs whose latest end matches now, in the order of their ids: only that one is
-- requeued.
create or replace function pgjobq.still_ended(s pgjobq.selection, p_shard smallint, p_jobs uuid[])
returns uuid[] language plpgsql stable as $$
begin
    return array(select w.id
                   from (select distinct id from unnest(p_jobs) j(id)) d,
                        lateral (select * from pgjobq.finished f
                                  where f.shard = p_shard and f.id = d.id
                                  order by f.finished_at desc limit 1) w
                  where pgjobq.ended_matches(
                   s, w.created_at, w.finished_at, w.attributes, w.id, w.kind, w.queue_id, w.key, w.outcome,
                   w.priority, w.attempt, w.errors)
                  order by w.id);
end $$;

comment on function pgjobq.still_ended is 'Internal. Finds those of some ended jobs that match now.';
