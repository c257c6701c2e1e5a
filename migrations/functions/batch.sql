-- The batches of actions.

-- Does the next batch of an action. Jobs whose rows other sessions hold are visited once more, in a batch of
-- their own, before the walk goes on.
--
-- A batch takes time off for as long as it held its lanes, so that claims get at least half of the time.
-- With a rate, it is what a second of that rate allows, and the next one comes when the jobs of this one
-- have had their time. After a slow one the next is smaller.
create or replace function pgjobq.do_batch(
    a pgjobq.actions, p_rows int, p_most int, out queues int[], out cancelled uuid[], out running uuid[])
language plpgsql as $$
declare
    f record;       -- the jobs of the batch
    b record;       -- what became of them
    v_began timestamptz := clock_timestamp();
    v_found timestamptz;
    v_now timestamptz;
begin
    if a.again = '{}' then
        select * into f
          from pgjobq.find_fitting(a, p_rows, least(p_most, ceil(1 / extract(epoch from a.pace)))::int);
    else
        select a.again[:p_most] as ids, pgjobq.shard_of(a.again[1], shards) as shard, a.place as next
          into f from pgjobq.settings;
    end if;
    v_found := clock_timestamp();
    -- step: batch found
    select * into b from pgjobq.apply_action(a, f.shard, f.ids);
    queues := b.queues;
    cancelled := b.cancelled;
    running := b.running;
    v_now := clock_timestamp();
    a.again := a.again[p_most + 1:] || b.again;
    update pgjobq.actions x
       set matched = x.matched + cardinality(f.ids) - cardinality(b.again), changed = x.changed + b.changed,
           left_out = pgjobq.add_counts(x.left_out, b.left_out), place = f.next, again = a.again,
           next_at = greatest(v_now + (v_now - v_found), v_began + b.changed * pace,
                              case when b.again <> '{}' then v_now + interval '250 ms' end),
           cut = case when v_now - v_began > interval '1 second' then least(x.cut + 1, 6)
                      when v_now - v_began < interval '250 ms' then greatest(x.cut - 1, 0) else x.cut end,
           ended_at = case when f.next is null and a.again = '{}' then v_now end,
           outcome = case when f.next is null and a.again = '{}' then 'done' end
     where x.id = a.id;
end $$;

comment on function pgjobq.do_batch is 'Internal. Does the next batch of an action.';

-- Puts an action off whose batch failed, each time for longer, and makes the next batch smaller. If even a
-- single job fails, it is passed over as `refused`, unless another try may help (`p_may_pass` is false).
create or replace function pgjobq.put_off(a pgjobq.actions, p_problem text, p_may_pass boolean)
returns void language plpgsql as $$
declare
    s pgjobq.selection := a.selection;
    f record;
    v_refused int := 0;
    v_pause interval := least(interval '10 seconds', interval '200 ms' * 2 ^ a.cut);
begin
    if a.cut >= 6 and p_may_pass then
        if a.again = '{}' then
            s.path := '1 == 1';
            s.needs_columns := false;
            select * into f from pgjobq.find_batch(s, a.place, 1, 1);
            v_refused := cardinality(f.ids);
            a.place := f.next;
        else
            a.again := a.again[2:];
            v_refused := 1;
        end if;
        v_pause := interval '1 second';
    end if;
    update pgjobq.actions x
       set cut = least(a.cut + 1, 6), problem = left(p_problem, 1000), next_at = clock_timestamp() + v_pause,
           matched = x.matched + v_refused,
           left_out = pgjobq.add_counts(x.left_out, jsonb_build_object('refused', v_refused)),
           place = a.place, again = a.again,
           ended_at = case when a.place is null and a.again = '{}' then clock_timestamp() end,
           outcome = case when a.place is null and a.again = '{}' then 'done' end
     where x.id = a.id;
end $$;

comment on function pgjobq.put_off is 'Internal. Puts an action off whose batch failed.';

-- The next batch of an action: as `find_batch`, but at least one job, and no more than are together of 8 MB,
-- if it writes their arguments anew.
create or replace function pgjobq.find_fitting(
    a pgjobq.actions, p_rows int, p_most int, out ids uuid[], out shard smallint, out next pgjobq.place)
language plpgsql stable as $$
declare
    f record;
    v_fitting int;
begin
    select * into f from pgjobq.find_batch(a.selection, a.place, p_rows, p_most);
    if a.action in ('cancel', 'requeue') and cardinality(f.ids) > 1 then
        v_fitting := (
            select count(*) filter (where bytes <= 8388608)
              from (select sum(case when a.action = 'cancel'
                               then (select pg_column_size(args) from pgjobq.jobs
                                      where jobs.shard = (f.here).shard and id = d.id)
                               else (select max(pg_column_size(args)) from pgjobq.finished
                                      where finished.shard = (f.here).shard and id = d.id) end)
                           over (order by n) as bytes
                      from unnest(f.ids) with ordinality d(id, n)) sizes);
        if v_fitting < cardinality(f.ids) then
            select * into f from pgjobq.find_batch(a.selection, a.place, p_rows, greatest(1, v_fitting));
        end if;
    end if;
    ids := f.ids;
    shard := (f.here).shard;
    next := f.next;
end $$;

comment on function pgjobq.find_fitting is 'Internal. Finds the next batch of an action.';

-- The next jobs of a selection, of one shard and one list: `here` is a place there. It goes on to the next
-- shard or list as long as it finds nothing and has not read `p_rows` rows of one.
create or replace function pgjobq.find_batch(
    s pgjobq.selection, p_place pgjobq.place, p_rows int, p_most int,
    out ids uuid[], out here pgjobq.place, out next pgjobq.place)
language plpgsql stable as $$
declare
    m record;
begin
    next := p_place;
    loop
        here := next;
        select * into m from pgjobq.next_matches(s, here, p_rows, p_most);
        ids := m.ids;
        next := m.next;
        exit when ids <> '{}' or next is null or (next.list, next.shard) = (here.list, here.shard);
    end loop;
end $$;

comment on function pgjobq.find_batch is 'Internal. Finds the next batch of an action.';
