-- Counts and lists of selections, for people.

-- The next at most `p_most` jobs of a selection from a place on, and last a row without a job, whose `next`
-- is where to go on (null: this is the end). It may return fewer jobs before the end, because it reads at
-- most `p_rows` rows of a shard and list that has more.
create or replace function pgjobq.list_jobs(
    s pgjobq.selection, p_place pgjobq.place, p_most int, p_rows int default 10000)
returns table (id uuid, state text, queue text, kind text, priority smallint, key text,
               unique_key text, attributes text, attempt int, failures int, crashes int,
               created_at bigint, run_at bigint, finished_at bigint, error text, cancelled_for text,
               next text)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    v_place pgjobq.place := p_place;
    v_left int := greatest(p_most, 1);
    f record;
begin
    while v_left > 0 and v_place is distinct from null loop
        select * into f from pgjobq.find_batch(s, v_place, p_rows, v_left);
        return query select w.*, null from pgjobq.shown_jobs(
            (f.here).shard, f.ids, s.lists[(f.here).list] in ('live', 'running')) w;
        v_left := v_left - cardinality(f.ids);
        v_place := f.next;
        exit when f.ids = '{}';
    end loop;
    next := v_place::text;
    return next;
end $$;

comment on function pgjobq.list_jobs is 'Internal. Lists the next jobs of a selection.';

revoke execute on function pgjobq.list_jobs from public;

-- Jobs as a list shows them: the live ones, or the latest end of each id. `error` is the message of the last
-- failure. Times are in microseconds since 1970.
create or replace function pgjobq.shown_jobs(p_shard smallint, p_jobs uuid[], p_live boolean)
returns table (id uuid, state text, queue text, kind text, priority smallint, key text,
               unique_key text, attributes text, attempt int, failures int, crashes int,
               created_at bigint, run_at bigint, finished_at bigint, error text, cancelled_for text)
language plpgsql stable as $$
#variable_conflict use_column
begin
    if p_live then
        return query
        select j.id, v.state, v.queue, v.kind, v.priority, j.key, j.unique_key, j.attributes::text,
               v.attempt, v.failures, v.crashes, (extract(epoch from v.created_at) * 1000000)::bigint,
               (extract(epoch from v.run_at) * 1000000)::bigint, null::bigint,
               (select f.message from pgjobq.failures f
                 where f.shard = p_shard and f.job = j.id order by f.attempt desc limit 1), null
          from unnest(p_jobs) d(id),
               lateral pgjobq.job_row(p_shard, d.id) j,
               lateral (select * from pgjobq.job_states
                         where shard = p_shard and id = d.id and finished_at is null offset 0) v;
    else
        return query
        select f.id, f.outcome, q.name, f.kind, f.priority, f.key, f.unique_key, f.attributes::text,
               f.attempt, f.failures, f.crashes,
               (extract(epoch from f.created_at) * 1000000)::bigint, null::bigint,
               (extract(epoch from f.finished_at) * 1000000)::bigint,
               f.errors->-1->>'message', f.cancelled->>'reason'
          from unnest(p_jobs) d(id),
               lateral (select * from pgjobq.finished
                         where shard = p_shard and id = d.id order by finished_at desc limit 1) f
               left join pgjobq.queues q on q.id = f.queue_id;
    end if;
end $$;

comment on function pgjobq.shown_jobs is 'Internal. Jobs as a list shows them.';

-- The number of jobs of a selection. A list of a shard is read to its end, if that has at most `p_rows` rows.
-- If one has more, the count is an estimate, and `exact` is false.
create or replace function pgjobq.count_jobs(
    s pgjobq.selection, p_rows int default 10000, out jobs bigint, out exact boolean)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_place pgjobq.place;
    m record;
begin
    jobs := 0;
    exact := true;
    for list in 1..cardinality(s.lists) loop
        for shard in 0..(select shards - 1 from pgjobq.settings) loop
            if pgjobq.is_long(s, s.lists[list], shard::smallint, p_rows) then
                exact := false;
                continue;
            end if;
            v_place := row(list, shard, null, null);
            select * into m from pgjobq.next_matches(s, v_place, p_rows, p_rows);
            jobs := jobs + cardinality(m.ids);
            exact := exact and ((m.next).list, (m.next).shard) is distinct from (list, shard);
        end loop;
    end loop;
    if not exact then
        jobs := greatest(jobs, case when 'live' = any (s.lists) then pgjobq.sampled_live(s) else 0 end
                               + case when s.lists <> '{live}' then pgjobq.sampled_ended(s) else 0 end);
    end if;
end $$;

comment on function pgjobq.count_jobs is 'Internal. Counts the jobs of a selection.';

revoke execute on function pgjobq.count_jobs from public;

-- Returns whether a walk over a list of a shard would pass more than `p_rows` rows. Nothing is looked up but
-- their number. A walk along a narrow index is short enough to find out by itself.
create or replace function pgjobq.is_long(s pgjobq.selection, p_list text, p_shard smallint, p_rows int)
returns boolean language plpgsql stable as $$
begin
    return case
        when s.ids is not null or p_list = 'running' then false
        when p_list in ('live', 'ended') and pgjobq.indexed_equality(s.attributes) is not null then false
        when p_list = 'live' then exists (
            select from pgjobq.jobs where shard = p_shard order by id offset p_rows limit 1)
        when p_list = 'ended' then exists (
            select from pgjobq.finished where shard = p_shard order by id offset p_rows limit 1)
        else exists (
            select from pgjobq.finished
             where shard = p_shard and outcome = p_list and outcome <> 'completed'
             order by finished_at, id offset p_rows limit 1)
        end;
end $$;

comment on function pgjobq.is_long is 'Internal. Whether a walk over a list would be long.';

-- The share of a table's pages that a sample reads: about a hundred of them.
create or replace function pgjobq.sampled_share(p_bytes bigint) returns real
language plpgsql stable as $$
begin
    return least(1, 100.0 * current_setting('block_size')::int / greatest(p_bytes, 1));
end $$;

comment on function pgjobq.sampled_share is 'Internal. The share of a table that a sample reads.';

-- Estimates how many live jobs match, from those on some pages.
create or replace function pgjobq.sampled_live(s pgjobq.selection) returns bigint
language plpgsql stable as $$
declare
    v_share real := pgjobq.sampled_share(pg_relation_size('pgjobq.jobs'));
begin
    return (select count(*) / v_share
              from (select * from pgjobq.jobs tablesample system (100 * v_share)) w
             where pgjobq.live_matches(s, w.shard, w.created_at, w.attributes, w.id, w.kind, w.queue_id,
                                   w.key, w.priority, w.attempt, w.waits_for, w.run_at, w.ticket, w.meta));
end $$;

comment on function pgjobq.sampled_live is 'Internal. Estimates how many live jobs match.';

-- The same of ended jobs, in the lists of the selection.
create or replace function pgjobq.sampled_ended(s pgjobq.selection) returns bigint
language plpgsql stable as $$
declare
    v_share real := pgjobq.sampled_share(
        (select sum(pg_relation_size(relid)) from pg_partition_tree('pgjobq.finished'))::bigint);
begin
    return (select count(*) / v_share
              from (select * from pgjobq.finished tablesample system (100 * v_share)) w
             where (w.outcome = any (s.lists) or 'ended' = any (s.lists))
               and pgjobq.ended_matches(
                   s, w.created_at, w.finished_at, w.attributes, w.id, w.kind, w.queue_id, w.key, w.outcome,
                   w.priority, w.attempt, w.errors));
end $$;

comment on function pgjobq.sampled_ended is 'Internal. Estimates how many ended jobs match.';
