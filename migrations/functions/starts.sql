-- The starts of jobs under a rate. A claim counts them, in the transaction that inserts its lease: so each
-- start is counted, once, at the time that the lease states. What a claim has counted stays counted, also if
-- the job is returned before it began.

-- The rates of a limit; null if it has none.
create or replace function pgjobq.rates_of(p_scope text, p_name text) returns pgjobq.rate[]
language plpgsql stable as $$
begin
    return (select array_agg(row(r.value->0, r.value->1)::pgjobq.rate order by r.n)
              from pgjobq.limits l,
                   jsonb_array_elements(coalesce(l.overrides->'rates'->'value', l.rates))
                       with ordinality r(value, n)
             where l.scope = p_scope and l.name = p_name);
end $$;

comment on function pgjobq.rates_of is 'Internal. The rates of a limit.';

-- Some jobs of a queue by the limits with a rate that they are under, each group in the order of `p_ids`.
-- Null if there are no such limits. A job may be in two groups: its kind's, and its queue's.
create or replace function pgjobq.rated_groups(p_shard smallint, p_queue int, p_ids uuid[])
returns pgjobq.rated_group[] language plpgsql stable as $$
begin
    return (
        with job as materialized (
            select d.n, j.id, j.kind, j.limits, pgjobq.permit_key(j.limits, j.key) as key,
                   coalesce(j.weight, 1) as weight
              from unnest(p_ids) with ordinality d(id, n), lateral pgjobq.job_row(p_shard, d.id) j
             where j.limits & 4::smallint > 0),
        kind as materialized (
            select k.name, pgjobq.rates_of('kind', k.name) as rates
              from (select distinct kind as name from job where limits & 1::smallint > 0) k),
        queue as materialized (
            select q.name, pgjobq.rates_of('queue', q.name) as rates from pgjobq.queues q where id = p_queue)
        select array_agg(row(g.scope, g.name, g.key, g.rates, g.ids, g.weights)::pgjobq.rated_group
                         order by g.scope, g.name, g.key)
          from (select 'kind' as scope, k.name, j.key, k.rates, array_agg(j.id order by j.n) as ids,
                       array_agg(j.weight order by j.n) as weights
                  from job j, kind k
                 where j.kind = k.name and j.limits & 1::smallint > 0 and k.rates is not null
                 group by k.name, j.key, k.rates
                union all
                select 'queue', q.name, '', q.rates, array_agg(j.id order by j.n),
                       array_agg(j.weight order by j.n)
                  from job j, queue q
                 where j.limits & 2::smallint > 0 and q.rates is not null
                 group by q.name, q.rates) g);
end $$;

comment on function pgjobq.rated_groups is 'Internal. Some jobs by the rates that they are under.';

-- Decides which of some ready jobs of a queue may start now, under the lane's lock. The caller starts none of
-- the others, and counts those that it starts with `count_starts`. A job whose limit another claim counts
-- just now stays in line. A job for which its rate has no room goes back to the waiting room.
create or replace function pgjobq.startable(p_shard smallint, p_queue int, p_ids uuid[]) returns uuid[]
language plpgsql as $$
declare
    v_groups pgjobq.rated_group[] := pgjobq.rated_groups(p_shard, p_queue, p_ids);
    v_locked pgjobq.rated_group[];
    v_now timestamptz;
    v_late uuid[] := '{}';
    r record;
begin
    if v_groups is null then
        return p_ids;   -- The rates were removed.
    end if;
    perform pgjobq.note_starts(p_shard, v_groups);
    -- step: histories made
    v_locked := array(
        select g from unnest(v_groups) g, pgjobq.starts s
         where s.shard = p_shard and s.scope = g.scope and s.name = g.name and s.key = g.key
           for update of s skip locked);
    -- step: histories locked
    v_now := clock_timestamp();
    for r in
        select g.scope, g.name, g.key, g.rates, g.ids[f.fitting + 1:] as ids,
               (select coalesce(sum(w), 0) from unnest(g.weights[:f.fitting]) w) as in_line,
               g.weights[f.fitting + 1] as weight
          from unnest(v_locked) g, pgjobq.starts s,
               lateral (select pgjobq.used_of(g.rates, s.at, s.weights, pgjobq.micros(v_now)) as used) u,
               lateral (select pgjobq.fitting(g.rates, u.used, g.weights) as fitting offset 0) f
         where s.shard = p_shard and s.scope = g.scope and s.name = g.name and s.key = g.key
           and f.fitting < cardinality(g.ids)
    loop
        perform pgjobq.take_out_of_line(p_shard, r.ids, r.scope);
        perform pgjobq.look_again(p_shard, r.scope, r.name, r.key, r.rates, v_now, r.in_line, r.weight);
        v_late := v_late || r.ids;
    end loop;
    return array(
        select id from unnest(p_ids) id where id <> all (v_late)
        except
        select unnest(g.ids) from unnest(v_groups) g where g <> all (v_locked));
end $$;

comment on function pgjobq.startable is 'Internal. Decides which jobs may start under their rates.';

-- Makes the histories that are missing. The order prevents a deadlock with others who do.
create or replace function pgjobq.note_starts(p_shard smallint, p_groups pgjobq.rated_group[]) returns void
language plpgsql as $$
begin
    insert into pgjobq.starts (shard, scope, name, key)
    select p_shard, g.scope, g.name, g.key from unnest(p_groups) g
     where not exists (select from pgjobq.starts s where s.shard = p_shard and s.scope = g.scope
                                                     and s.name = g.name and s.key = g.key)
     order by g.scope, g.name, g.key
        on conflict do nothing;
end $$;

comment on function pgjobq.note_starts is 'Internal. Makes histories of starts that are missing.';

-- Takes ready jobs out of line whose kind's or queue's (`p_scope`) rate has no room: they wait for its permit
-- again. A row that another session has locked stays, and the next claim finds it.
create or replace function pgjobq.take_out_of_line(p_shard smallint, p_ids uuid[], p_scope text) returns void
language plpgsql as $$
declare
    v_id uuid;
    v_place tid;
begin
    foreach v_id in array p_ids loop
        select ctid into v_place from pgjobq.jobs
         where shard = p_shard and id = v_id for update skip locked;
        update pgjobq.jobs
           set ticket = null, queue_permit = null,
               permit = case when p_scope = 'queue' then permit end
         where ctid = v_place and shard + 0 = p_shard and id is not distinct from v_id;
    end loop;
end $$;

comment on function pgjobq.take_out_of_line is 'Internal. Takes jobs out of line that a rate holds back.';

-- Counts the starts of jobs, at the time that their lease states.
create or replace function pgjobq.count_starts(
    p_shard smallint, p_queue int, p_ids uuid[], p_now timestamptz)
returns void language plpgsql as $$
begin
    update pgjobq.starts s set (at, weights) = (
        select h.at, h.weights
          from pgjobq.add_start(g.rates, pgjobq.micros(p_now), (select sum(w) from unnest(g.weights) w), s.at,
                                s.weights) h)
      from unnest(pgjobq.rated_groups(p_shard, p_queue, p_ids)) g
     where s.shard = p_shard and s.scope = g.scope and s.name = g.name and s.key = g.key;
end $$;

comment on function pgjobq.count_starts is 'Internal. Counts the starts of jobs under their rates.';

-- Notes when admission has to look at a limit again, whose history is locked: when this weight has room, if
-- what is in line starts now. Never, if no job waits, or something else holds it back. Returns that time if
-- nobody is to look by then: a time that is over, and of which nobody has taken the limit, is nobody's.
-- Starts in the future move to the present: see `add_start`.
create or replace function pgjobq.look_again(
    p_shard smallint, p_scope text, p_name text, p_key text, p_rates pgjobq.rate[], p_now timestamptz,
    p_in_line bigint, p_weight int)
returns timestamptz language plpgsql as $$
declare
    v_now bigint := pgjobq.micros(p_now);
    v_old pgjobq.starts;
    v_next timestamptz;
begin
    select * into v_old from pgjobq.starts
     where shard = p_shard and scope = p_scope and name = p_name and key = p_key;
    if p_weight is not null then
        v_next := timestamptz 'epoch' + interval '1 microsecond' * nullif(
            pgjobq.room_at(p_rates, v_old.at, v_old.weights, v_now, p_in_line, p_weight), v_now);
        -- Admission lets nothing in as long as so much is in line.
        if v_next is null and p_in_line >= 1000 then v_next := p_now + interval '250 milliseconds'; end if;
    end if;
    update pgjobq.starts
       set next_at = v_next,
           (at, weights) = (select h.at, h.weights
                              from pgjobq.add_start(p_rates, v_now, 0, v_old.at, v_old.weights) h)
     where shard = p_shard and scope = p_scope and name = p_name and key = p_key
       and (next_at is not null or v_next is not null);
    return case when v_old.next_at is null or v_next < v_old.next_at or v_old.next_at <= p_now
                then v_next end;
end $$;

comment on function pgjobq.look_again is 'Internal. Notes when admission has to look at a limit again.';
