-- Makes the missing partitions of `finished`, at most `p_most`, and returns how many it made. Attaching locks
-- `finished_rest`, which delays look-ups, and sessions that end a job without a partition. So it waits only
-- briefly for others and then raises, and the caller tries again. Each attach also reads all of
-- `finished_rest` under that lock, which lasts until the commit: workers make one partition in each
-- transaction, and none while the table is larger than `p_rest_bytes`. Then it returns null. A worker may run
-- this without owning the table, hence the definer's rights. The session's DateStyle must not decide how a
-- day is written.
create or replace function pgjobq.make_partitions(
    p_days int, p_now timestamptz default clock_timestamp(), p_most int default null,
    p_rest_bytes bigint default 8388608)
returns int language plpgsql
    security definer set search_path = pg_catalog, pg_temp set datestyle = 'ISO, YMD'
        set lock_timeout = '2s' as $$
declare
    v_days date[] := pgjobq.missing_days(p_days, p_now);
    v_day date;
    v_table text;
    v_statement text;
begin
    if v_days = '{}' then
        return 0;
    end if;
    if pg_relation_size('pgjobq.finished_rest') > p_rest_bytes then
        return null;
    end if;
    perform pg_advisory_xact_lock(hashtext('pgjobq.make_partitions'));
    -- Without the days whose partitions another session has made meanwhile.
    v_days := (pgjobq.missing_days(p_days, p_now))[:coalesce(p_most, 10000)];
    perform set_config('lock_timeout', '100ms', true);
    foreach v_day in array v_days loop
        v_table := 'finished_' || to_char(v_day, 'YYYYMMDD');
        execute format('create table pgjobq.%I '
                       '(like pgjobq.finished including defaults including constraints)', v_table);
        for v_statement in select pgjobq.attribute_index_statement(v_table, a.attribute, false)
                             from pgjobq.attribute_indexes a loop
            execute v_statement;
        end loop;
        -- A partition does not inherit it.
        execute format('alter table pgjobq.%I replica identity full', v_table);
        execute format('alter table pgjobq.finished attach partition pgjobq.%I for values from (%L) to (%L)',
                       v_table, v_day, v_day + 1);
        insert into pgjobq.finished_days (day) values (v_day);
    end loop;
    return cardinality(v_days);
end $$;

comment on function pgjobq.make_partitions is 'Internal. Makes the missing partitions of `finished`.';

revoke execute on function pgjobq.make_partitions from public;

-- Drops the oldest partition whose day is over. Returns true if it did and false if there is none. Returns
-- null if it cannot be dropped now: another session drops one, or a transaction that has completed a job
-- holds `finished`. Then the partition is emptied, which locks nothing else. It waits only an instant for
-- others, because every session that finishes a job would wait behind it; then it raises, and the caller
-- tries again.
create or replace function pgjobq.drop_partition(p_now timestamptz default clock_timestamp())
returns boolean language plpgsql
    security definer set search_path = pg_catalog, pg_temp set lock_timeout = '20ms' as $$
declare
    v_today date := (p_now at time zone 'UTC')::date;
    v_day date := (select min(day) from pgjobq.finished_days where day < v_today);
    v_table text := 'pgjobq.finished_' || to_char(v_day, 'YYYYMMDD');
begin
    if v_day is null then
        return false;
    end if;
    if not pg_try_advisory_xact_lock(hashtext('pgjobq.make_partitions')) then
        return null;
    end if;
    begin
        perform pgjobq.note_lost_partition(v_table) where to_regclass(v_table) is not null;
        execute 'drop table if exists ' || v_table;
    exception when lock_not_available then
        begin
            if pg_relation_size(to_regclass(v_table)) > 0 then
                execute 'truncate ' || v_table;
                return null;
            end if;
        exception when lock_not_available then
            null; -- Somebody uses this very partition.
        end;
        if v_day < v_today - 1 then
            raise exception 'the day % is over, but another transaction uses the table `finished`',
                            v_day using errcode = 'object_in_use',
                hint = 'End transactions that are open for long: see pg_stat_activity.';
        end if;
        raise;
    end;
    delete from pgjobq.finished_days where day = v_day;
    return true;
end $$;

comment on function pgjobq.drop_partition is
    'Internal. Drops the oldest partition of `finished` whose day is over.';

revoke execute on function pgjobq.drop_partition from public;

-- The days without a partition that should have one: up to a week beyond the longest retention of the queues,
-- of the defaults, and of the caller's kinds (`p_days`). So workers may fail to make partitions for a week. A
-- day with rows in `finished_rest` stays without one: its partition could not be attached, and the next day
-- serves as well.
create or replace function pgjobq.missing_days(p_days int, p_now timestamptz)
returns date[] language plpgsql stable as $$
declare
    v_now timestamp := p_now at time zone 'UTC';
    v_last date := 8 + greatest(
        v_now::date + greatest(least(p_days, 3660), 30),
        (select max((v_now + k.keep)::date)
           from pgjobq.queues, unnest('{completed,dead,cancelled,expired}'::text[]) o(outcome),
                lateral pgjobq.keep_of(id, outcome) k(keep)));
begin
    return array(
        select d.day from unnest(pgjobq.partition_days(v_now::date, v_last)) d(day)
         where not exists (select 1 from pgjobq.finished_days f where f.day = d.day)
           and not exists (select 1 from pgjobq.finished_rest r where r.drop_on = d.day)
         order by d.day);
end $$;

comment on function pgjobq.missing_days is 'Internal. The days without a partition that should have one.';

-- The days from `p_today` on that should have a partition, up to the first on or after `p_last`: each of the
-- next days, then Mondays, then the first of months, of quarters, of years. So a job is kept at most a third
-- longer than requested (a day, if it is kept for less than a week), and ten years need about fifty
-- partitions. A look-up locks every partition.
create or replace function pgjobq.partition_days(p_today date, p_last date)
returns date[] language plpgsql immutable as $$
begin
    return array(
        with days as (
            select p_today + n as day
              from generate_series(0, p_last - p_today + 366) n
             where n <= 8
                or n <= 110 and extract(isodow from p_today + n) = 1
                or n <= 400 and extract(day from p_today + n) = 1
                or n <= 1200 and extract(day from p_today + n) = 1
                    and extract(month from p_today + n) in (1, 4, 7, 10)
                or extract(doy from p_today + n) = 1)
        select day from days where day <= (select min(day) from days where day >= p_last) order by day);
end $$;

comment on function pgjobq.partition_days is 'Internal. The days that should have a partition.';

-- Deletes at most `p_most` rows of `finished_rest` whose day is over. `remain` is true if it still has rows.
create or replace function pgjobq.tidy_rest(p_most int, p_now timestamptz default clock_timestamp(),
                                            out deleted int, out remain boolean)
language plpgsql as $$
begin
    with gone as (
        delete from pgjobq.finished_rest
         where ctid = any (array(select ctid from pgjobq.finished_rest
                                  where drop_on < (p_now at time zone 'UTC')::date
                                  order by drop_on limit p_most for update skip locked))
        returning shard, finished_at, outcome),
    noted as (
        select g.count, pgjobq.note_lost_ends(g.shard, g.ended_at)
          from (select shard, count(*) as count,
                       max(finished_at) filter (where outcome <> 'completed') as ended_at
                  from gone group by shard) g)
    select coalesce(sum(count), 0) into deleted from noted;
    remain := exists (select 1 from pgjobq.finished_rest);
end $$;

comment on function pgjobq.tidy_rest is
    'Internal. Deletes ended jobs that have no partition and are no longer kept.';
