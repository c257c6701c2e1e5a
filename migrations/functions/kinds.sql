-- Records the queues and the policies of a program's kinds, all at once, and creates the queues. Each element
-- of `p_kinds` has the columns of `kinds`, with the `version` of the arguments and what the code `computed`
-- from those, and the `limit` (see `record_limits`). The order lets two programs that start together wait for
-- each other in no circle. Returns warnings, for people.
--
-- A program replaces what the one before has recorded, but not what that one's jobs still need: the redacted
-- arguments, the aliases, and what other versions compute.
create or replace function pgjobq.record_kinds(p_kinds jsonb, out warnings text[]) language plpgsql
    set search_path = pg_catalog, pg_temp as $$
begin
    perform pgjobq.create_queue(queue)
       from (select distinct k.queue from jsonb_to_recordset(p_kinds) k(queue text) order by k.queue) q;
    insert into pgjobq.kinds as k (kind, queue, priority, retries, max_crashes, redact, aliases, computed)
    select n.kind, n.queue, n.priority, n.retries, n.max_crashes, coalesce(n.redact, '{}'),
           coalesce(n.aliases, '{}'), jsonb_build_object(coalesce(n.version, 1), coalesce(n.computed, '{}'))
      from jsonb_to_recordset(p_kinds)
                  n(kind text, queue text, priority smallint, retries smallint, max_crashes smallint,
                    redact text[], aliases text[], version int, computed jsonb)
     order by n.kind
    on conflict (kind) do update
       set queue = excluded.queue, priority = excluded.priority, retries = excluded.retries,
           max_crashes = excluded.max_crashes, redact = pgjobq.joined(k.redact, excluded.redact),
           aliases = pgjobq.joined(k.aliases, excluded.aliases), computed = k.computed || excluded.computed,
           recorded_at = excluded.recorded_at
     where (k.queue, k.priority, k.retries, k.max_crashes, k.redact, k.aliases, k.computed)
           is distinct from (excluded.queue, excluded.priority, excluded.retries, excluded.max_crashes,
                             pgjobq.joined(k.redact, excluded.redact),
                             pgjobq.joined(k.aliases, excluded.aliases), k.computed || excluded.computed);
    warnings := pgjobq.record_limits(p_kinds);
end $$;

comment on function pgjobq.record_kinds is 'Internal. Records the queues and the policies of kinds.';

-- The names in either of two lists: those of the first, and then what is new in the second.
create or replace function pgjobq.joined(p_old text[], p_new text[]) returns text[]
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
    return p_old || array(select n from unnest(p_new) with ordinality u(n, place)
                           where n <> all (p_old) order by place);
end $$;

comment on function pgjobq.joined is 'Internal. The names in either of two lists.';

-- The arguments of a job, without those that are redacted: as the code says that enqueued it (`p_meta`),
-- which may be the only one so far that knows the kind; or as any program has recorded of its kind, also
-- under another name.
create or replace function pgjobq.shown_args(p_kind text, p_args jsonb, p_meta jsonb) returns jsonb
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    v_redact text[] := array(
        select unnest(redact) from pgjobq.kinds where kind = p_kind or p_kind = any (aliases)
        union all
        select name #>> '{}' from jsonb_path_query(p_meta, 'lax $.redact[*]') name);
begin
    if v_redact = '{}' or p_args is null then
        return p_args;
    elsif jsonb_typeof(p_args) <> 'object' then
        return '"[redacted]"';      -- Somebody has written the row by hand.
    end if;
    return (select coalesce(jsonb_object_agg(key, case when key = any (v_redact) then '"[redacted]"'
                                                       else value end), '{}')
              from jsonb_each(p_args));
end $$;

comment on function pgjobq.shown_args is 'Internal. The arguments of a job, without those that are redacted.';
