-- The limits that the code of programs states. What operators have set instead stays, and wins: see
-- `change_limits`.

-- Records the limits of a program's kinds and their aliases, and removes those that the code has no more. It
-- writes only what differs, so that programs that start with the same code write nothing. A `limit` has the
-- columns of `limits`; `rates` are pairs of a number and a window in microseconds. Returns warnings: see
-- `overwritten_limits`.
create or replace function pgjobq.record_limits(p_kinds jsonb, out warnings text[])
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    v_new pgjobq.limits[];
    v_old text[];
    v_changed boolean;
begin
    select array_agg(pgjobq.limit_in_code('kind', n.name, n."limit") order by n.name)
               filter (where n."limit" is not null),
           array_agg(n.name order by n.name) filter (where n."limit" is null)
      into v_new, v_old
      from (select unnest(k.kind || coalesce(k.aliases, '{}')) as name, k."limit"
              from jsonb_to_recordset(p_kinds) k(kind text, aliases text[], "limit" jsonb)) n;
    warnings := pgjobq.overwritten_limits(v_new, v_old);
    v_changed := pgjobq.write_limits(coalesce(v_new, '{}'));
    v_changed := pgjobq.remove_limits('kind', coalesce(v_old, '{}')) or v_changed;
    if v_changed or (select limited from pgjobq.settings) is distinct from pgjobq.limited_now() then
        perform pgjobq.note_limits(), pgjobq.announce_limited('{}');
    end if;
end $$;

comment on function pgjobq.record_limits is 'Internal. Records the limits of kinds, as the code states them.';

-- A row of `limits`, as the code states it.
create or replace function pgjobq.limit_in_code(p_scope text, p_name text, p_limit jsonb)
returns pgjobq.limits language plpgsql stable as $$
declare
    v_limit pgjobq.limits := jsonb_populate_record(null::pgjobq.limits, p_limit);
begin
    v_limit.scope := p_scope;
    v_limit.name := p_name;
    v_limit.per_key := coalesce(v_limit.per_key, false);
    v_limit.on_conflict := coalesce(v_limit.on_conflict, 'wait');
    return v_limit;
end $$;

comment on function pgjobq.limit_in_code is 'Internal. A limit, as the code states it.';

-- Writes the limits that differ from what is there. True if there are any.
create or replace function pgjobq.write_limits(p_limits pgjobq.limits[]) returns boolean
language plpgsql as $$
begin
    insert into pgjobq.limits as l (scope, name, per_key, concurrency, holds, on_conflict, rates)
    select n.scope, n.name, n.per_key, n.concurrency, n.holds, n.on_conflict, n.rates
      from unnest(p_limits) n
      left join pgjobq.limits o on o.scope = n.scope and o.name = n.name
     where (o.per_key, o.concurrency, o.holds, o.on_conflict, o.rates)
           is distinct from (n.per_key, n.concurrency, n.holds, n.on_conflict, n.rates)
     order by n.scope, n.name
    on conflict (scope, name) do update
       set per_key = excluded.per_key, concurrency = excluded.concurrency, holds = excluded.holds,
           on_conflict = excluded.on_conflict, rates = excluded.rates, recorded_at = excluded.recorded_at;
    return found;
end $$;

comment on function pgjobq.write_limits is 'Internal. Writes limits, as the code states them.';

-- Removes what the code stated of these limits, and keeps what operators have set. True if there was any.
create or replace function pgjobq.remove_limits(p_scope text, p_names text[]) returns boolean
language plpgsql as $$
declare
    v_found boolean;
begin
    delete from pgjobq.limits where scope = p_scope and name = any (p_names) and overrides is null;
    v_found := found;
    update pgjobq.limits
       set per_key = false, concurrency = null, holds = null, on_conflict = 'wait', rates = null
     where scope = p_scope and name = any (p_names)
       and (per_key, concurrency, holds, on_conflict, rates)
           is distinct from (false, null, null, 'wait', null);
    return v_found or found;
end $$;

comment on function pgjobq.remove_limits is 'Internal. Removes what the code stated of limits.';

-- Sets the columns of the limit of a queue that `p_limit` names, as the code states them. The others stay as
-- they are in the row then, and not as a statement before has read them: another program may have set them
-- meanwhile. All jobs under one limit are on one shard, and those of a queue are on all of them: so there is
-- none in a database with several shards.
create or replace function pgjobq.save_limit(p_queue text, p_limit jsonb) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    v_new pgjobq.limits := pgjobq.limit_in_code('queue', p_queue, p_limit);
    v_old pgjobq.limits;
begin
    if jsonb_strip_nulls(p_limit) <> '{}' then
        perform pgjobq.reject_shards(p_queue);
    end if;
    select * into v_old from pgjobq.limits where scope = 'queue' and name = p_queue;
    if (not p_limit ? 'concurrency' or v_old.concurrency is not distinct from v_new.concurrency)
       and (not p_limit ? 'rates' or v_old.rates is not distinct from v_new.rates)
    then
        return;     -- An unchanged start writes nothing.
    end if;
    insert into pgjobq.limits as l (scope, name, concurrency, rates)
    values ('queue', p_queue, v_new.concurrency, v_new.rates)
    on conflict (scope, name) do update
       set concurrency = case when p_limit ? 'concurrency' then excluded.concurrency else l.concurrency end,
           rates = case when p_limit ? 'rates' then excluded.rates else l.rates end,
           recorded_at = excluded.recorded_at;
    delete from pgjobq.limits
     where scope = 'queue' and name = p_queue and concurrency is null and rates is null and overrides is null;
    perform pgjobq.note_limits(), pgjobq.announce_limited('{}');
end $$;

comment on function pgjobq.save_limit is 'Internal. Sets the limit of a queue, as the code states it.';

-- Rejects a limit of a queue in a database with several shards.
create or replace function pgjobq.reject_shards(p_queue text) returns void language plpgsql stable as $$
begin
    if (select shards from pgjobq.settings) > 1 then
        raise exception 'the queue % cannot have a limit, because the database has several shards',
            quote_literal(p_queue)
            using errcode = 'feature_not_supported',
                hint = 'Limit the kinds of its jobs: #[job(concurrency = 10)].';
    end if;
end $$;

comment on function pgjobq.reject_shards is 'Internal. Rejects a limit of a queue with several shards.';
