-- Queues, kinds, and the partitions of `finished`: what is recorded when a program starts, and never by an enqueue.

create function pgjobq.create_queue(p_name text) returns int language plpgsql as $$
declare
    v_id int;
begin
    select id into v_id from pgjobq.queues where name = p_name and deleted_at is null;
    if v_id is null then
        insert into pgjobq.queues as q (name) values (p_name)
        on conflict (name) do update set deleted_at = null where q.deleted_at is not null;
        select id into v_id from pgjobq.queues where name = p_name;
    end if;
    insert into pgjobq.lanes (shard, queue_id)
    select s.shard, v_id from pgjobq.settings, generate_series(0, shards - 1) s(shard)
    on conflict (shard, queue_id) do nothing;
    return v_id;
end $$;

create function pgjobq.record_kind(
    p_kind text, p_queue text, p_priority smallint, p_retries smallint, p_crashes smallint, p_redact text[]) returns void language plpgsql as $$
begin
    perform pgjobq.create_queue(p_queue);
    insert into pgjobq.kinds as k (kind, queue, priority, retries, crash_budget, redact)
    values (p_kind, p_queue, p_priority, p_retries, p_crashes, p_redact)
    on conflict (kind) do update
       set queue = excluded.queue, priority = excluded.priority, retries = excluded.retries,
           crash_budget = excluded.crash_budget, redact = excluded.redact, recorded_at = excluded.recorded_at
     where (k.queue, k.priority, k.retries, k.crash_budget, k.redact)
           is distinct from (excluded.queue, excluded.priority, excluded.retries, excluded.crash_budget, excluded.redact);
end $$;

-- Makes the partitions of `finished` that are missing: each of the next eight days, and the Mondays up to the horizon, for
-- what is kept longer. Attaching takes a lock that stands in nobody's way, and waits for nobody for long. A worker may run
-- this without owning the table, hence the definer's rights.
create function pgjobq.make_partitions(p_horizon int) returns int language plpgsql
    security definer set search_path = pg_catalog, pg_temp set lock_timeout = '500ms' as $$
declare
    v_today date := (clock_timestamp() at time zone 'UTC')::date;
    v_day date;
    v_table text;
    v_made int := 0;
    c_ten_years constant int := 3667;   -- as long as a kind's jobs can be kept; a partition for each week of it
    v_horizon int := least(c_ten_years, greatest(p_horizon, 8, (
        select (extract(epoch from max(greatest(keep_completed, keep_dead, keep_cancelled, keep_expired))) / 86400)::int + 1
          from pgjobq.queues)));
begin
    if not pg_try_advisory_xact_lock(hashtext('pgjobq.make_partitions')) then
        return 0; -- Somebody else is at it.
    end if;
    for v_day in
        select v_today + n from generate_series(0, v_horizon) n
         where (n <= 8 or extract(isodow from v_today + n) = 1)
           and not exists (select 1 from pgjobq.finished_days where day = v_today + n)
    loop
        v_table := 'finished_' || to_char(v_day, 'YYYYMMDD');
        execute format('create table pgjobq.%I (like pgjobq.finished including defaults including constraints)', v_table);
        execute format('alter table pgjobq.finished attach partition pgjobq.%I for values from (%L) to (%L)',
                       v_table, v_day, v_day + 1);
        insert into pgjobq.finished_days (day) values (v_day);
        v_made := v_made + 1;
    end loop;
    return v_made;
end $$;

-- Drops the oldest partition whose day is over. True when there was one. It waits for nobody for longer than an instant, for
-- whoever finishes a job would stand behind it: then it raises, and is tried again.
create function pgjobq.drop_partition() returns boolean language plpgsql
    security definer set search_path = pg_catalog, pg_temp set lock_timeout = '20ms' as $$
declare
    v_day date := (select min(day) from pgjobq.finished_days where day < (clock_timestamp() at time zone 'UTC')::date);
begin
    if v_day is null or not pg_try_advisory_xact_lock(hashtext('pgjobq.make_partitions')) then
        return false;
    end if;
    execute format('drop table if exists pgjobq.%I', 'finished_' || to_char(v_day, 'YYYYMMDD'));
    delete from pgjobq.finished_days where day = v_day;
    return true;
end $$;

-- The partition for a row that is to be kept this long: the first day on which it may be dropped, or the last there is, so
-- that a missing partition shortens a row's life and never stops a job from ending.
create function pgjobq.drop_day(p_keep interval) returns date language plpgsql stable as $$
declare
    v_day date := (clock_timestamp() at time zone 'UTC' + p_keep)::date;
begin
    return coalesce((select min(day) from pgjobq.finished_days where day >= v_day),
                    (select max(day) from pgjobq.finished_days));
end $$;

-- How long a job of this queue that ended so is kept, when nobody has said otherwise.
create function pgjobq.keep_of(p_queue int, p_outcome text) returns interval language plpgsql stable as $$
begin
    return (select coalesce(max(case p_outcome when 'completed' then keep_completed when 'dead' then keep_dead
                                               when 'cancelled' then keep_cancelled else keep_expired end),
                            case p_outcome when 'completed' then interval '1 day' when 'dead' then interval '30 days'
                                           else interval '7 days' end)
              from pgjobq.queues where id = p_queue);
end $$;

-- The arguments of a job, as people may see them.
create function pgjobq.shown_args(p_kind text, p_args jsonb) returns jsonb language plpgsql stable as $$
declare
    v_redact text[] := (select redact from pgjobq.kinds where kind = p_kind and redact <> '{}');
begin
    if v_redact is null or jsonb_typeof(p_args) <> 'object' then
        return p_args;
    end if;
    return (select jsonb_object_agg(key, case when key = any (v_redact) then '"[redacted]"' else value end)
              from jsonb_each(p_args));
end $$;

-- The channel of all notifications of this schema: a hash, because names of channels are short.
create function pgjobq.channel() returns text language plpgsql immutable as $$
begin
    return 'pgjobq_' || substr(md5('pgjobq.'), 1, 16);
end $$;

-- The shard of a job: the last ten bits of its id, modulo the number of shards.
create function pgjobq.shard_of(p_id uuid, p_shards smallint) returns smallint language plpgsql immutable as $$
declare
    v_bytes bytea := uuid_send(p_id);
begin
    return (((get_byte(v_bytes, 14) & 3) << 8) | get_byte(v_bytes, 15)) % p_shards;
end $$;
