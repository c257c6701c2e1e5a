-- Selections backwards, for people: list by list and shard by shard as in `next_matches`, and there the
-- newest first: the highest id, or the latest end. Each walk reads the index of its forward one from the
-- other end.

-- As `list_jobs`, with the newest first. A place is that of the last job that was passed.
create or replace function pgjobq.list_newest(
    s pgjobq.selection, p_place pgjobq.place, p_most int, p_rows int default 10000)
returns table (id uuid, state text, queue text, kind text, priority smallint, key text,
               unique_key text, attributes text, attempt int, failures int, crashes int,
               created_at bigint, run_at bigint, finished_at bigint, error text, cancelled_for text,
               next text)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    v_here pgjobq.place;
    v_place pgjobq.place := p_place;
    v_left int := greatest(p_most, 1);
    m record;
begin
    while v_left > 0 and v_place is distinct from null loop
        v_here := v_place;
        select * into m from pgjobq.newest_matches(s, v_here, p_rows, v_left);
        return query select w.*, null from pgjobq.shown_jobs(
            v_here.shard, m.ids, s.lists[v_here.list] in ('live', 'running')) w;
        v_left := v_left - cardinality(m.ids);
        v_place := m.next;
        exit when m.ids = '{}' and (v_place.list, v_place.shard) = (v_here.list, v_here.shard);
    end loop;
    next := v_place::text;
    return next;
end $$;

comment on function pgjobq.list_newest is 'Internal. Lists the next jobs of a selection, the newest first.';

revoke execute on function pgjobq.list_newest from public;

-- As `next_matches`, with the newest first.
create or replace function pgjobq.newest_matches(
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
          from pgjobq.newest_named(s, v_list, p_place.shard, p_place.id, p_rows, p_most) w;
    elsif v_list in ('live', 'ended') and v_equality is not null then
        select w.ids, w.last into ids, v_last
          from pgjobq.newest_by_attribute(s, v_equality, v_list, p_place.shard, p_place.id, p_rows, p_most) w;
    elsif v_list = 'live' then
        select w.ids, w.last into ids, v_last
          from pgjobq.newest_live(s, p_place.shard, p_place.id, p_rows, p_most) w;
    elsif v_list = 'ended' then
        select w.ids, w.last into ids, v_last
          from pgjobq.newest_ended(s, p_place.shard, p_place.id, p_rows, p_most) w;
    else
        select w.ids, w.last_at, w.last into ids, v_last_at, v_last
          from pgjobq.newest_ended_badly(s, v_list, p_place, p_rows, p_most) w;
    end if;
    if v_last is not null then
        next := row(p_place.list, p_place.shard, v_last_at, v_last);
    elsif p_place.shard + 1 < (select shards from pgjobq.settings) then
        next := row(p_place.list, p_place.shard + 1, null, null);
    elsif p_place.list < cardinality(s.lists) then
        next := row(p_place.list + 1, 0, null, null);
    end if;
end $$;

comment on function pgjobq.newest_matches is
    'Internal. Finds the next jobs of a selection, the newest first.';

-- As `walk_live`, from the highest id down; `p_before` null: from the last job on.
create or replace function pgjobq.newest_live(
    s pgjobq.selection, p_shard smallint, p_before uuid, p_rows int, p_most int, out ids uuid[],
    out last uuid)
language plpgsql stable as $$
declare
    v_to uuid := coalesce(p_before, 'ffffffff-ffff-ffff-ffff-ffffffffffff');
begin
    ids := array(
        select w.id
          from (select * from pgjobq.jobs
                 where shard = p_shard and id <= v_to and (p_before is null or id <> p_before)
                 order by id desc limit p_rows) w
         where pgjobq.live_matches(s, w.shard, w.created_at, w.attributes, w.id, w.kind, w.queue_id,
                                   w.key, w.priority, w.attempt, w.waits_for, w.run_at, w.ticket, w.meta)
         limit p_most);
    last := coalesce(ids[p_most], (
        select id from pgjobq.jobs
         where shard = p_shard and id <= v_to and (p_before is null or id <> p_before)
         order by id desc offset p_rows - 1 limit 1));
end $$;

comment on function pgjobq.newest_live is 'Internal. Walks over live jobs from the newest one on.';

-- As `walk_ended`, from the highest id down.
create or replace function pgjobq.newest_ended(
    s pgjobq.selection, p_shard smallint, p_before uuid, p_rows int, p_most int, out ids uuid[],
    out last uuid)
language plpgsql stable as $$
declare
    v_to uuid := coalesce(p_before, 'ffffffff-ffff-ffff-ffff-ffffffffffff');
begin
    ids := array(
        select w.id
          from (select * from pgjobq.finished
                 where shard = p_shard and id <= v_to and (p_before is null or id <> p_before)
                 order by id desc limit p_rows) w
         where pgjobq.ended_matches(
                   s, w.created_at, w.finished_at, w.attributes, w.id, w.kind, w.queue_id, w.key, w.outcome,
                   w.priority, w.attempt, w.errors)
         limit p_most);
    last := coalesce(ids[p_most], (
        select id from pgjobq.finished
         where shard = p_shard and id <= v_to and (p_before is null or id <> p_before)
         order by id desc offset p_rows - 1 limit 1));
    ids := array(select distinct id from unnest(ids) d(id) order by id desc);
end $$;

comment on function pgjobq.newest_ended is 'Internal. Walks over ended jobs from the newest one on.';

-- As `walk_ended_badly`, from the latest end on.
create or replace function pgjobq.newest_ended_badly(
    s pgjobq.selection, p_outcome text, p_place pgjobq.place, p_rows int, p_most int,
    out ids uuid[], out last_at timestamptz, out last uuid)
language plpgsql stable as $$
declare
    v_at timestamptz := coalesce(p_place.at, 'infinity');
    v_id uuid := coalesce(p_place.id, 'ffffffff-ffff-ffff-ffff-ffffffffffff');
    v_ends timestamptz[];
begin
    select coalesce(array_agg(m.id), '{}'), array_agg(m.finished_at) into ids, v_ends
      from (select w.id, w.finished_at
              from (select * from pgjobq.finished
                     where shard = p_place.shard and outcome = p_outcome and outcome <> 'completed'
                       and (finished_at, id) < (v_at, v_id) and finished_at <= s.before
                     order by finished_at desc, id desc limit p_rows) w
             where pgjobq.ended_matches(
                   s, w.created_at, w.finished_at, w.attributes, w.id, w.kind, w.queue_id, w.key, w.outcome,
                   w.priority, w.attempt, w.errors)
             limit p_most) m;
    last := ids[p_most];
    last_at := v_ends[p_most];
    if last is null then
        select finished_at, id into last_at, last from pgjobq.finished
         where shard = p_place.shard and outcome = p_outcome and outcome <> 'completed'
           and (finished_at, id) < (v_at, v_id) and finished_at <= s.before
         order by finished_at desc, id desc offset p_rows - 1 limit 1;
    end if;
end $$;

comment on function pgjobq.newest_ended_badly is
    'Internal. Walks over dead, cancelled or expired jobs from the latest end on.';

-- As `walk_attribute`, from the highest id down.
create or replace function pgjobq.newest_by_attribute(
    s pgjobq.selection, p_equality int, p_list text, p_shard smallint, p_before uuid, p_rows int, p_most int,
    out ids uuid[], out last uuid)
language plpgsql stable set plan_cache_mode = force_custom_plan as $$
declare
    v_attribute text := s.attributes[p_equality];
    v_hash bigint := jsonb_hash_extended(s.values[p_equality], 0);
    v_to uuid := coalesce(p_before, 'ffffffff-ffff-ffff-ffff-ffffffffffff');
    v_walked uuid[];
    v_found uuid[];
begin
    if p_list = 'live' then
        v_walked := array(
            select id from pgjobq.jobs
             where shard = p_shard and attributes ? v_attribute
               and (jsonb_hash_extended(attributes -> v_attribute, 0), id) <= (v_hash, v_to)
               and jsonb_hash_extended(attributes -> v_attribute, 0) >= v_hash
               and (p_before is null or id <> p_before)
             order by jsonb_hash_extended(attributes -> v_attribute, 0) desc, id desc limit p_rows);
        v_found := pgjobq.still_live(s, p_shard, v_walked);
    else
        v_walked := array(
            select id from pgjobq.finished
             where shard = p_shard and attributes ? v_attribute
               and (jsonb_hash_extended(attributes -> v_attribute, 0), id) <= (v_hash, v_to)
               and jsonb_hash_extended(attributes -> v_attribute, 0) >= v_hash
               and (p_before is null or id <> p_before)
             order by jsonb_hash_extended(attributes -> v_attribute, 0) desc, id desc limit p_rows);
        v_found := pgjobq.ended_ever(s, p_shard, v_walked, null);
    end if;
    ids := array(select id from unnest(v_found) d(id) order by id desc limit p_most);
    last := coalesce(ids[p_most], v_walked[p_rows]);
end $$;

comment on function pgjobq.newest_by_attribute is
    'Internal. Walks along the index by an attribute from the newest job on.';

-- As `walk_named`, from the highest id down.
create or replace function pgjobq.newest_named(
    s pgjobq.selection, p_list text, p_shard smallint, p_before uuid, p_rows int, p_most int, out ids uuid[],
    out last uuid)
language plpgsql stable as $$
declare
    v_named uuid[] := array(
        select distinct n.id
          from unnest(coalesce(s.ids, pgjobq.running_jobs(p_shard))) n(id), pgjobq.settings
         where pgjobq.shard_of(n.id, shards) = p_shard and (p_before is null or n.id < p_before)
         order by n.id desc limit p_rows);
begin
    ids := array(select id from unnest(case when p_list in ('live', 'running')
                                            then pgjobq.still_live(s, p_shard, v_named)
                                            else pgjobq.ended_ever(s, p_shard, v_named,
                                                                   nullif(p_list, 'ended')) end) d(id)
                  order by id desc limit p_most);
    last := coalesce(ids[p_most], v_named[p_rows]);
end $$;

comment on function pgjobq.newest_named is
    'Internal. Walks over jobs that a selection names from the newest on.';
