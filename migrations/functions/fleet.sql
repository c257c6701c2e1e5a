-- The state of the fleet: depth, age and workers of each queue, and the health of the database. It is
-- measured once in an interval for all processes that ask.

-- Returns the state of the fleet as JSON, and its age in microseconds. If it is older than `p_max_age`
-- microseconds, the call measures it anew, unless another one is doing so: then it is the old one,
-- or null if there is none yet. A time that is ahead is from before the clock was set back.
create or replace function pgjobq.fleet_state(p_max_age bigint, out state text, out age bigint,
                                              out is_new boolean)
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    v_now timestamptz := clock_timestamp();
    v_before timestamptz := v_now - p_max_age * interval '1 microsecond';
    f pgjobq.fleet;
begin
    if pg_is_in_recovery() then
        raise 'a standby stores no state of the fleet' using errcode = 'read_only_sql_transaction';
    end if;
    select * into f from pgjobq.fleet;
    is_new := false;
    if f.measured_at is null or f.measured_at <= v_before or f.measured_at > v_now + interval '1 second' then
        insert into pgjobq.fleet default values on conflict do nothing;
        -- Who waited in vain for this row finds it measured, and is left without it.
        select * into f from pgjobq.fleet
         where measured_at <= v_before or measured_at > v_now + interval '1 second' for update skip locked;
        is_new := found;
    end if;
    if is_new then
        f := pgjobq.measure_fleet(f);
        update pgjobq.fleet
           set measured_at = f.measured_at, state = f.state, mark_times = f.mark_times,
               mark_tickets = f.mark_tickets;
    else
        select * into f from pgjobq.fleet;
    end if;
    if f.measured_at > '-infinity' then
        state := f.state::text;
        age := greatest(extract(epoch from clock_timestamp() - f.measured_at) * 1000000, 0)::bigint;
    end if;
end $$;

comment on function pgjobq.fleet_state is
    'Internal. Returns the state of the fleet, measured anew if it is too old.';

-- The same for those who may only read: it stores nothing, so each caller that finds the state too old
-- measures for itself.
create or replace function pgjobq.fleet_now(p_max_age bigint, out state text, out age bigint,
                                            out is_new boolean)
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    v_now timestamptz := clock_timestamp();
    f pgjobq.fleet;
begin
    if not pg_is_in_recovery() then     -- A standby has no unlogged tables.
        select * into f from pgjobq.fleet;
    end if;
    is_new := f.measured_at is null or f.measured_at <= v_now - p_max_age * interval '1 microsecond'
              or f.measured_at > v_now + interval '1 second';
    if is_new then
        f := pgjobq.measure_fleet(f);
    end if;
    state := f.state::text;
    age := greatest(extract(epoch from clock_timestamp() - f.measured_at) * 1000000, 0)::bigint;
end $$;

comment on function pgjobq.fleet_now is
    'Internal. Returns the state of the fleet, measured if it is too old, and stores nothing.';

-- Measures the state of the fleet, and adds a mark. When there are 240 marks, every other one of the older
-- half is left out: the older a job is, the less exact is its age.
create or replace function pgjobq.measure_fleet(p_last pgjobq.fleet) returns pgjobq.fleet
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    v_now timestamptz := clock_timestamp();
    v_marks int := cardinality(p_last.mark_times);
    f pgjobq.fleet;
begin
    f.only_row := true;
    f.measured_at := v_now;
    select coalesce(array_agg(m.at order by m.n), '{}'), coalesce(array_agg(m.ticket order by m.n), '{}')
      into f.mark_times, f.mark_tickets
      from unnest(p_last.mark_times, p_last.mark_tickets) with ordinality m(at, ticket, n)
     where m.at < v_now and (v_marks < 240 or m.n > 120 or m.n % 2 = 0);
    f.state := pgjobq.measure_database()
               || pgjobq.measure_queues(f.mark_times, f.mark_tickets, p_last.state -> 'queues');
    f.mark_times := f.mark_times || v_now;
    f.mark_tickets := f.mark_tickets
        || (select case when is_called then last_value else last_value - 1 end from pgjobq.ticket);
    return f;
end $$;

comment on function pgjobq.measure_fleet is 'Internal. Measures the state of the fleet.';

-- Measures at most two hundred queues, for a second: those first whose numbers of the last time, `p_last`,
-- are the oldest. A queue that is not reached keeps these, and `complete` is false. Counts are bounded as in
-- `queue_stats`.
create or replace function pgjobq.measure_queues(p_times timestamptz[], p_tickets bigint[], p_last jsonb)
returns jsonb language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    c_queues constant int := 200;
    v_shards smallint[] := array(select s::smallint from pgjobq.settings, generate_series(0, shards - 1) s);
    v_queues jsonb[] := '{}';
    v_complete boolean;
    v_scheduled jsonb; v_dead jsonb; v_due jsonb;
    v_dead_exact boolean;
    v_until timestamptz;
    q record;
begin
    select coalesce(jsonb_object_agg(s.queue_id, array[s.scheduled, s.exact::int]), '{}') into v_scheduled
      from pgjobq.scheduled_counts(v_shards, array(select id from pgjobq.queues where deleted_at is null)) s;
    select coalesce(jsonb_object_agg(d.queue_id, d.dead), '{}'), coalesce(bool_and(d.exact), true)
      into v_dead, v_dead_exact from pgjobq.dead_counts() d;
    select coalesce(jsonb_object_agg(o.queue_id, o.since), '{}') into v_due from pgjobq.overdue(v_shards) o;
    v_complete := (select count(*) <= c_queues from pgjobq.queues where deleted_at is null);
    v_until := clock_timestamp() + interval '1 second';
    for q in
        select w.id, w.name, l.last
          from (select id, name from pgjobq.queues where deleted_at is null order by name limit c_queues) w
               left join jsonb_array_elements(p_last) l(last) on l.last ->> 'queue' = w.name
         order by (l.last ->> 'at')::numeric nulls first, w.name
    loop
        if clock_timestamp() > v_until then
            v_complete := false;
            v_queues := v_queues || q.last;
            continue;
        end if;
        v_queues := v_queues || (
            pgjobq.measure_queue(v_shards, q.id, p_times, p_tickets, (v_due ->> q.id::text)::timestamptz,
                                 v_dead_exact and coalesce(v_scheduled -> q.id::text -> 1 = '1', true))
            -- A queue that was made just now is in no count.
            || jsonb_build_object('queue', q.name, 'scheduled', coalesce(v_scheduled -> q.id::text -> 0, '0'),
                                  'dead', coalesce(v_dead -> q.id::text, '0'),
                                  'at', extract(epoch from clock_timestamp())));
    end loop;
    return jsonb_build_object(
        'queues', array(select n from unnest(v_queues) n where n is not null order by n ->> 'queue'),
        'complete', v_complete);
end $$;

comment on function pgjobq.measure_queues is 'Internal. Measures the queues for `fleet_state`.';

-- Measures one queue. `p_due` is the time of its first scheduled job that is due and was not promoted, and
-- `p_exact` whether its numbers of scheduled and dead jobs are exact.
create or replace function pgjobq.measure_queue(
    p_shards smallint[], p_queue int, p_times timestamptz[], p_tickets bigint[], p_due timestamptz,
    p_exact boolean)
returns jsonb language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    v_counts jsonb;
    v_since timestamptz;
    v_name text := (select name from pgjobq.queues where id = p_queue);
begin
    select jsonb_build_object('ready', sum(s.ready), 'running', sum(s.running), 'blocked', sum(s.blocked),
                              'limited', sum(s.limited), 'exact', p_exact and bool_and(s.exact)) into v_counts
      from unnest(p_shards) shard, lateral pgjobq.queue_stats(shard, p_queue) s;
    select least(min(pgjobq.due_since(shard, p_queue, 10000, p_times, p_tickets)), p_due) into v_since
      from unnest(p_shards) shard;
    return v_counts || jsonb_build_object(
        'oldest', extract(epoch from clock_timestamp() - v_since),
        'workers', (select count(*) from pgjobq.workers w
                     where w.shard = 0 and v_name = any (w.queues)
                       and w.seen_at > clock_timestamp() - w.lease),
        'slots', (select coalesce(sum(w.slots[array_position(w.queues, v_name)]), 0) from pgjobq.workers w
                   where w.shard = 0 and v_name = any (w.queues)
                     and w.seen_at > clock_timestamp() - w.lease),
        'unserved', (select coalesce(jsonb_object_agg(u.kind, u.jobs), '{}')
                       from (select kind, count(*) as jobs
                               from unnest(p_shards) shard, lateral pgjobq.unaccepted(shard, p_queue)
                              group by kind order by kind limit 20) u));
end $$;

comment on function pgjobq.measure_queue is 'Internal. Measures one queue for `fleet_state`.';

-- The time of the first scheduled job of each queue that is due, and that no worker has promoted, among the
-- first thousand of each shard.
create or replace function pgjobq.overdue(p_shards smallint[], out queue_id int, out since timestamptz)
returns setof record language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    return query
        select j.queue_id, min(j.run_at)
          from unnest(p_shards) s(shard),
               lateral (select d.queue_id, d.run_at from pgjobq.jobs d
                         where d.shard = s.shard and d.run_at is not null and d.waits_for = 0
                           and d.run_at <= clock_timestamp()
                         order by d.run_at limit 1000) j
         group by j.queue_id;
end $$;

comment on function pgjobq.overdue is 'Internal. The first scheduled job of each queue that is due.';

-- Measures the database: `xmin_age`, the number of transactions that vacuum cannot look behind, because a
-- session, a prepared transaction or a replication slot holds it back; `transaction`, the seconds of the
-- oldest transaction; and the dead rows of our tables. Of sessions of other roles it sees only what
-- `pg_read_all_stats` shows.
create or replace function pgjobq.measure_database() returns jsonb
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    return jsonb_build_object(
        'xmin_age', greatest(
            (select max(age(backend_xmin)) from pg_stat_activity
              where datname = current_database() or datname is null),
            (select max(greatest(age(xmin), age(catalog_xmin))) from pg_replication_slots),
            (select max(age(transaction)) from pg_prepared_xacts where database = current_database())),
        'transaction', (select extract(epoch from clock_timestamp() - min(xact_start)) from pg_stat_activity
                         where datname = current_database() and backend_type = 'client backend'),
        'dead_rows', (select coalesce(sum(pg_stat_get_dead_tuples(c.oid)), 0) from pg_class c
                       where c.relkind in ('r', 't')
                         and c.relnamespace = (select relnamespace from pg_class
                                                where oid = 'pgjobq.jobs'::regclass)),
        'workers', (select count(*) from pgjobq.workers
                     where shard = 0 and seen_at > clock_timestamp() - lease));
end $$;

comment on function pgjobq.measure_database is 'Internal. Measures the database for `fleet_state`.';
