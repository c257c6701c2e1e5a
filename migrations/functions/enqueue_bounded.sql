-- Enqueue into bounded queues: what `enqueue_many` does if one of its queues has a bound.

-- Takes places for the jobs of a batch, inserts those that have one or need none, and gives the places of
-- duplicates back. The parameters and the answer are those of `enqueue_many`, and `full` describes the queues
-- that had no room for some of their jobs: see `describe_full`. `p_room` says what happens then:
--   `all`     nothing is inserted, unless the queue drops new jobs: for callers' transactions
--   `whole`   nothing is inserted: for workflows
--   `growth`  nothing is inserted; those who wait in line for room do not come before: they may wait for
--             jobs that end only when this one does
--   `some`    as many jobs as fit are inserted, but none before those who wait in line for room
--   `turn`    as many as fit: the caller has waited in line
create or replace function pgjobq.enqueue_bounded(
    p_queues int[], p_shape_kind text[], p_shape_queue text[], p_shape_priority smallint[],
    p_shape_retries smallint[], p_shape_max_crashes smallint[], p_id uuid[], p_shape int[], p_args text[],
    p_meta text[], p_attributes text[], p_key text[], p_delay bigint[], p_at bigint[], p_expires bigint[],
    p_notify boolean, p_patience int, p_program int, p_waits_for int[], p_edges jsonb, p_weight int[],
    p_unique_key text[], p_shape_options text[], p_room text,
    out inserted int, out unknown text[], out duplicate uuid[], out other_kind uuid[], out wake int[],
    out refused jsonb, out limited boolean, out "full" jsonb, out held jsonb)
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    t record;
    k int[];    -- the places in the arrays of the jobs to insert
    v_answer record;
begin
    if p_room in ('some', 'turn', 'growth') then     -- Nothing is refused, or the caller raises.
        t := pgjobq.take_batch_room(p_queues, p_shape_kind, p_id, p_shape, p_room);
    else
        -- What a refused batch has taken or locked is free again at once, not when the transaction ends.
        begin
            t := pgjobq.take_batch_room(p_queues, p_shape_kind, p_id, p_shape, p_room);
            if t.is_refused then raise exception 'refused' using errcode = 'PJ003'; end if;
        exception when sqlstate 'PJ003' then
            "full" := t."full"; inserted := 0; return;
        end;
    end if;
    "full" := t."full";
    -- step: room taken
    k := t.keep;
    -- Mostly there is room for all, and each call has a cost.
    if k is not null then
        p_id := pgjobq.slice(p_id, k); p_shape := pgjobq.slice(p_shape, k); p_args := pgjobq.slice(p_args, k);
        p_meta := pgjobq.slice(p_meta, k); p_attributes := pgjobq.slice(p_attributes, k);
        p_key := pgjobq.slice(p_key, k); p_delay := pgjobq.slice(p_delay, k); p_at := pgjobq.slice(p_at, k);
        p_expires := pgjobq.slice(p_expires, k); p_waits_for := pgjobq.slice(p_waits_for, k);
        p_weight := pgjobq.slice(p_weight, k); p_unique_key := pgjobq.slice(p_unique_key, k);
        p_edges := pgjobq.edges_of(p_edges, k);
    end if;
    v_answer := pgjobq.enqueue_many(
        p_shape_kind, p_shape_queue, p_shape_priority, p_shape_retries, p_shape_max_crashes, p_id, p_shape,
        p_args, p_meta, p_attributes, p_key, p_delay, p_at, p_expires, p_notify, p_patience, p_program,
        p_waits_for, p_edges, p_weight, p_unique_key, p_shape_options, p_counted => t.counted);
    inserted := v_answer.inserted;
    unknown := v_answer.unknown;
    refused := v_answer.refused;
    wake := v_answer.wake;
    limited := v_answer.limited;
    held := v_answer.held;
    duplicate := v_answer.duplicate || t.live;
    other_kind := v_answer.other_kind || t.other_kind;
    -- A job that is only asked for takes its place when it is enqueued after all.
    if inserted < cardinality(p_id) or held is not null then
        perform pgjobq.give_surplus(t.taken, case when inserted > 0 then p_id end, v_answer.duplicate);
    end if;
end $$;

comment on function pgjobq.enqueue_bounded is 'Internal. Inserts a batch of jobs into bounded queues.';

-- Takes places for a batch of new jobs. `keep` are the places in the arrays of those that have room, or need
-- none (null: all of them). `live` are those that are live already, of queues without room for all: they need
-- no place; `other_kind` are those of them with another kind. `taken` has the queue of each place, and
-- `counted` the bounded queues. `is_refused`: nothing must be inserted.
create or replace function pgjobq.take_batch_room(
    p_queues int[], p_shape_kind text[], p_id uuid[], p_shape int[], p_room text, out keep int[],
    out live uuid[], out other_kind uuid[], out taken int[], out counted int[], out "full" jsonb,
    out is_refused boolean)
language plpgsql as $$
declare
    q record;
    s record;
    v_all boolean;
begin
    is_refused := false;
    counted := '{}';
    for q in
        select b.id, pgjobq.when_full_of(b) as when_full,
               array(select n::int from unnest(p_shape) with ordinality u(shape, n)
                      where p_queues[u.shape] = -b.id) as rows
          from pgjobq.queues b where b.id = any (array(select -u from unnest(p_queues) u)) order by b.id
    loop
        counted := counted || q.id;
        v_all := p_room in ('whole', 'growth') or p_room = 'all' and q.when_full <> 'drop_new';
        s := pgjobq.seat_jobs(q.id, q.rows, p_shape_kind, p_id, p_shape, v_all,
                              p_room in ('turn', 'growth'));
        taken := taken || array_fill(q.id, array[s.got]);
        live := live || s.live;
        other_kind := other_kind || s.other_kind;
        if s.without <> '{}' then
            "full" := coalesce("full", '{}') || pgjobq.describe_full(
                q.id, array(select p_id[n] from unnest(s.without) n));
            is_refused := is_refused or v_all;
        end if;
        if s.without <> '{}' or s.live is not null then
            keep := array(select n from unnest(coalesce(keep, array(select generate_subscripts(p_id, 1)))) n
                           where n <> all (s.without) and (p_id[n] = any (s.live)) is not true order by n);
        end if;
    end loop;
end $$;

comment on function pgjobq.take_batch_room is 'Internal. Takes places for a batch of new jobs.';

-- Takes places for the jobs of one queue, which have the places `p_rows` in the arrays. `got` is how many
-- places, and `without` are those of `p_rows` that have none. Jobs that are live already are looked for only
-- if there is less room than jobs.
create or replace function pgjobq.seat_jobs(
    p_queue int, p_rows int[], p_shape_kind text[], p_id uuid[], p_shape int[], p_all boolean,
    p_turn boolean, out got int, out without int[], out live uuid[], out other_kind uuid[])
language plpgsql as $$
declare
    v_may boolean := p_turn or not pgjobq.has_room_line(p_queue);
    v_new int[];
begin
    got := 0;
    without := '{}';
    if v_may then
        got := pgjobq.take_room(p_queue, cardinality(p_rows), p_all);
    end if;
    if got = cardinality(p_rows) then
        return;
    end if;
    select l.live, l.other_kind into live, other_kind
      from pgjobq.live_jobs(p_rows, p_shape_kind, p_id, p_shape) l;
    v_new := array(select n from unnest(p_rows) n where (p_id[n] = any (live)) is not true order by n);
    if v_may and got = 0 and live is not null then
        got := pgjobq.take_room(p_queue, cardinality(v_new), p_all);
    elsif got > cardinality(v_new) then
        perform pgjobq.give_room(0::smallint, array_fill(p_queue, array[got - cardinality(v_new)]), true);
        got := cardinality(v_new);
    end if;
    without := coalesce(v_new[got + 1:], '{}');
end $$;

comment on function pgjobq.seat_jobs is 'Internal. Takes places for the new jobs of one queue.';

-- The jobs at these places in the arrays that are live already, and those of them with another kind.
create or replace function pgjobq.live_jobs(
    p_rows int[], p_shape_kind text[], p_id uuid[], p_shape int[], out live uuid[], out other_kind uuid[])
language plpgsql as $$
begin
    select array_agg(j.id), array_agg(j.id) filter (where j.kind <> p_shape_kind[p_shape[r.n]])
      into live, other_kind
      from unnest(p_rows) r(n), lateral pgjobq.job_row(0::smallint, p_id[r.n]) j;
end $$;

comment on function pgjobq.live_jobs is 'Internal. The jobs of a batch that are live already.';

-- Gives back the places that were taken for jobs of the batch which were not inserted: they are live already,
-- or twice in it, or a trigger has left them out.
create or replace function pgjobq.give_surplus(p_taken int[], p_id uuid[], p_left_out uuid[])
returns void language plpgsql as $$
declare
    v_surplus int[];
begin
    v_surplus := array(
        select t.queue_id
          from (select queue_id, count(*) as places from unnest(p_taken) u(queue_id) group by queue_id) t,
               lateral (select count(distinct d.id) as jobs
                          from unnest(p_id) d(id), lateral pgjobq.job_row(0::smallint, d.id) r
                         where r.queue_id = t.queue_id and (d.id = any (p_left_out)) is not true) j,
               generate_series(1, t.places - j.jobs));
    if v_surplus <> '{}' then
        perform pgjobq.give_room(0::smallint, v_surplus, true);
    end if;
end $$;

comment on function pgjobq.give_surplus is 'Internal. Gives the places of jobs back that were not inserted.';

-- The limits of each shape of a batch, with a mark for those whose queue is one of `p_counted`: their jobs
-- occupy places.
create or replace function pgjobq.mark_counted(p_queues int[], p_limits smallint[], p_counted int[])
returns smallint[] language plpgsql immutable as $$
begin
    return array(select pgjobq.with_room(p_limits[q.n], abs(q.id) = any (p_counted))
                   from unnest(p_queues) with ordinality q(id, n) order by q.n);
end $$;

comment on function pgjobq.mark_counted is 'Internal. Marks the jobs of a batch as occupying a place.';

-- The limits of a job that occupies a place in a bounded queue, or none.
create or replace function pgjobq.with_room(p_limits smallint, p_occupies boolean) returns smallint
language sql immutable as $$
    select nullif(coalesce(p_limits, 0::smallint) & (~8)::smallint
                  | case when p_occupies then 8 else 0 end::smallint, 0::smallint)
$$;

comment on function pgjobq.with_room is 'Internal. The limits of a job with a place, or without one.';

-- The answer to the enqueue of one job without room: it is a duplicate, or its queue is full.
create or replace function pgjobq.without_room(
    p_queue int, p_kind text, p_id uuid, out duplicate uuid[], out other_kind uuid[], out "full" jsonb)
language plpgsql as $$
begin
    select array[j.id], case when j.kind <> p_kind then array[j.id] end into duplicate, other_kind
      from pgjobq.job_row(0::smallint, p_id) j;
    if duplicate is null then
        "full" := pgjobq.describe_full(p_queue, array[p_id]);
    end if;
end $$;

comment on function pgjobq.without_room is 'Internal. The answer to the enqueue of a job without room.';

-- Describes a queue without room for these jobs, by its name: its id, its bound, and what happens then.
create or replace function pgjobq.describe_full(p_queue int, p_jobs uuid[]) returns jsonb
language plpgsql stable as $$
begin
    return (select jsonb_build_object(name, jsonb_build_object(
                       'id', id, 'bound', capacity, 'when_full', pgjobq.when_full_of(q), 'jobs', p_jobs))
              from pgjobq.queues q where id = p_queue);
end $$;

comment on function pgjobq.describe_full is 'Internal. Describes a full queue.';

-- The values at these places of an array; without places, all of them.
create or replace function pgjobq.slice(p_values anyarray, p_places int[]) returns anyarray
language plpgsql immutable as $$
begin
    return case when p_places is null or p_values is null then p_values
                else array(select p_values[n] from unnest(p_places) with ordinality u(n, i) order by i) end;
end $$;

comment on function pgjobq.slice is 'Internal. The values at some places of an array.';

-- The edges of the jobs at these places, by their new places.
create or replace function pgjobq.edges_of(p_edges jsonb, p_places int[]) returns jsonb
language plpgsql immutable as $$
begin
    return case when p_places is null or p_edges is null then p_edges
                else (select jsonb_agg(e || jsonb_build_object(
                                 'child', array_position(p_places, (e->>'child')::int)))
                        from jsonb_array_elements(p_edges) e
                       where (e->>'child')::int = any (p_places)) end;
end $$;

comment on function pgjobq.edges_of is 'Internal. The edges of some jobs of a batch.';
