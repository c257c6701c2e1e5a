-- Ended jobs as lines of JSON: for a warehouse, or for a person with a text editor.

-- The next at most `p_most` ends of a selection's jobs as lines, each with the place after it, and last a row
-- without a line, whose `next` is where to go on (null: this is the end). The order is by shard, id and end:
-- an id that ended more than once has a line for each end. It reads at most `p_rows` rows, and returns about
-- 8 MiB. A place without a time is after all ends of its id. A place is a text, so the DateStyle of the
-- session must not decide how its time is written.
create or replace function pgjobq.export_jobs(
    s pgjobq.selection, p_place pgjobq.place, p_most int, p_rows int default 10000)
returns table (line text, next text)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp set datestyle = 'ISO, YMD' as $$
declare
    v_from uuid := coalesce(p_place.id, '00000000-0000-0000-0000-000000000000');   -- an id, too
    v_from_at timestamptz := coalesce(p_place.at, case when p_place.id is null then '-infinity'
                                                       else 'infinity' end::timestamptz);
    v_rows int := 0; v_lines int := 0; v_bytes int := 0;
    v_place pgjobq.place;
    f pgjobq.finished;
begin
    for f in select * from pgjobq.finished w
              where w.shard = p_place.shard and w.id >= v_from and (w.id, w.finished_at) > (v_from, v_from_at)
              order by w.id, w.finished_at limit p_rows
    loop
        v_rows := v_rows + 1;
        v_place := row(1, p_place.shard, f.finished_at, f.id);
        if pgjobq.ended_matches(
               s, f.created_at, f.finished_at, f.attributes, f.id, f.kind, f.queue_id, f.key, f.outcome,
               f.priority, f.attempt, f.errors) then
            line := pgjobq.exported(f); next := v_place::text;
            v_lines := v_lines + 1; v_bytes := v_bytes + octet_length(line);
            return next;
        end if;
        exit when v_lines >= p_most or v_bytes >= 8388608;
    end loop;
    if v_rows < p_rows and v_lines < p_most and v_bytes < 8388608 then   -- the end of the shard
        v_place := case when p_place.shard + 1 < (select shards from pgjobq.settings)
                        then row(1, p_place.shard + 1, null, null)::pgjobq.place end;
    end if;
    line := null; next := v_place::text;
    return next;
end $$;

comment on function pgjobq.export_jobs is 'Internal. Returns the next ended jobs of a selection as JSON.';

revoke execute on function pgjobq.export_jobs from public;

-- An ended job as one line of JSON. All lines have the same members, so that they fit a table. Times are in
-- UTC. Arguments that the job redacts are hidden, and what cannot be printed in 8 MiB is a text.
create or replace function pgjobq.exported(p_job pgjobq.finished) returns text
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    m constant jsonb := p_job.meta;
begin
    return json_build_object(
        'id', p_job.id, 'kind', p_job.kind, 'version', coalesce(m -> 'version', '1'),
        'queue', (select q.name from pgjobq.queues q where q.id = p_job.queue_id),
        'state', p_job.outcome, 'priority', p_job.priority, 'key', p_job.key,
        'unique_key', p_job.unique_key, 'weight', coalesce(p_job.weight, 1),
        'attributes', coalesce(p_job.attributes, '{}'),
        'args', pgjobq.exported_json(pgjobq.shown_args(p_job.kind, p_job.args, m)),
        'output', pgjobq.exported_json(p_job.output),
        'attempts', p_job.attempt, 'failures', p_job.failures, 'crashes', p_job.crashes,
        'retries', p_job.retries, 'max_crashes', p_job.max_crashes,
        'created_at', pgjobq.utc(p_job.created_at), 'finished_at', pgjobq.utc(p_job.finished_at),
        'errors', coalesce(p_job.errors, '[]'), 'cancelled', p_job.cancelled, 'edited', m -> 'edited',
        'parent', m -> 'parent', 'workflow', m -> 'workflow', 'step', m -> 'step',
        'schedule', m -> 'schedule', 'tick', case when jsonb_typeof(m -> 'tick') = 'number'
                        then pgjobq.utc(pgjobq.of_micros((m ->> 'tick')::numeric::bigint)) end,
        'traceparent', m -> 'traceparent')::text;
end $$;

comment on function pgjobq.exported is 'Internal. An ended job as one line of JSON.';

-- JSON as it is, or a text if it is too long to print.
create or replace function pgjobq.exported_json(p_json jsonb) returns json
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    return case when p_json is not null
                then coalesce(pgjobq.printed(p_json, 8388608)::json,
                              to_json('[left out: more than 8 MiB]'::text)) end;
end $$;

comment on function pgjobq.exported_json is 'Internal. JSON as an export shows it.';

-- A time as other programs read it: `2026-01-31T12:00:00.000000Z`.
create or replace function pgjobq.utc(p_at timestamptz) returns text
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
    return to_char(p_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"');
end $$;

comment on function pgjobq.utc is 'Internal. A time as an export shows it.';
