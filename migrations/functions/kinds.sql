-- Records the queues and the policies of a program's kinds, all at once, and creates the queues. Each element
-- of `p_kinds` has the columns of `kinds`, the `aliases`, and the `limit` (see `record_limits`). The order
-- lets two programs that start together wait for each other in no circle. Returns warnings, for people.
create or replace function pgjobq.record_kinds(p_kinds jsonb, out warnings text[]) language plpgsql
    set search_path = pg_catalog, pg_temp as $$
begin
    perform pgjobq.create_queue(queue)
       from (select distinct k.queue from jsonb_to_recordset(p_kinds) k(queue text) order by k.queue) q;
    insert into pgjobq.kinds as k (kind, queue, priority, retries, max_crashes, redact, computed)
    select * from jsonb_to_recordset(p_kinds)
                  n(kind text, queue text, priority smallint, retries smallint, max_crashes smallint,
                    redact text[], computed jsonb)
     order by n.kind
    on conflict (kind) do update
       set queue = excluded.queue, priority = excluded.priority, retries = excluded.retries,
           max_crashes = excluded.max_crashes, redact = excluded.redact, computed = excluded.computed,
           recorded_at = excluded.recorded_at
     where (k.queue, k.priority, k.retries, k.max_crashes, k.redact, k.computed)
           is distinct from (excluded.queue, excluded.priority, excluded.retries, excluded.max_crashes,
                             excluded.redact, excluded.computed);
    warnings := pgjobq.record_limits(p_kinds);
end $$;

comment on function pgjobq.record_kinds is 'Internal. Records the queues and the policies of kinds.';

-- The arguments of a job, without those that its job function redacts.
create or replace function pgjobq.shown_args(p_kind text, p_args jsonb) returns jsonb language plpgsql stable
    set search_path = pg_catalog, pg_temp as $$
declare
    v_redact text[] := (select redact from pgjobq.kinds where kind = p_kind and redact <> '{}');
begin
    if v_redact is null or jsonb_typeof(p_args) <> 'object' then
        return p_args;
    end if;
    return (select jsonb_object_agg(key, case when key = any (v_redact) then '"[redacted]"' else value end)
              from jsonb_each(p_args));
end $$;

comment on function pgjobq.shown_args is 'Internal. The arguments of a job, without those that are redacted.';
