-- Filters: conditions on jobs that the client compiles to a jsonpath. The attributes are the document, and
-- the job's own columns are variables. A jsonpath is a value: no text of a user becomes part of a statement.

-- Returns whether a filter matches a job. It is never null, and raises nothing because of the job: the
-- compiled paths are true or false for each of them. `p_columns` is what `filter_columns` returns, if the
-- path has variables. (It is SQL, so that the planner puts its text in place of the call.)
create or replace function pgjobq.matches(p_attributes jsonb, p_path jsonpath, p_columns jsonb default '{}')
returns boolean language sql immutable as $$
    select coalesce(jsonb_path_match(coalesce(p_attributes, '{}'), p_path, p_columns, true), false)
$$;

comment on function pgjobq.matches is 'Internal. Whether a filter matches a job.';

-- The columns of a job, as a filter sees them. `p_errors` are its failed attempts, as `errors_of` returns
-- them; only a filter that looks at errors needs them.
create or replace function pgjobq.filter_columns(
    p_id uuid, p_kind text, p_queue text, p_key text, p_state text, p_priority int, p_attempts int,
    p_created_at timestamptz, p_errors jsonb default null)
returns jsonb language sql stable as $$
    select jsonb_build_object(
        'id', p_id, 'kind', p_kind, 'queue', p_queue, 'key', p_key, 'state', p_state, 'priority', p_priority,
        'attempts', p_attempts, 'created_at', (extract(epoch from p_created_at) * 1000000)::bigint,
        'errors', p_errors)
$$;

comment on function pgjobq.filter_columns is 'Internal. The columns of a job, as a filter sees them.';

-- Returns whether a worker accepts a job that is ready: the condition of its claims.
create or replace function pgjobq.accepts(
    p_filter pgjobq.job_filter, p_attributes jsonb, p_id uuid, p_kind text, p_key text, p_priority int,
    p_attempts int, p_created_at timestamptz)
returns boolean language sql stable as $$
    select (p_filter).path is null
        or pgjobq.matches(p_attributes, (p_filter).path, case
               when (p_filter).needs_columns
               then pgjobq.filter_columns(p_id, p_kind, (p_filter).queue, p_key, 'ready', p_priority,
                                          p_attempts, p_created_at)
               else '{}' end)
$$;

comment on function pgjobq.accepts is 'Internal. Whether a worker accepts a job that is ready.';

-- Returns the filter with the name of the queue, if it looks at columns. `accepts` looks up nothing itself,
-- because a claim without a filter would begin that look-up as well: it was a twentieth of its cost.
create or replace function pgjobq.with_queue(p_filter pgjobq.job_filter, p_queue int)
returns pgjobq.job_filter language plpgsql stable as $$
begin
    if p_filter.needs_columns then
        p_filter.queue := (select name from pgjobq.queues where id = p_queue);
    end if;
    return p_filter;
end $$;

comment on function pgjobq.with_queue is 'Internal. A filter with the name of the queue.';

-- The largest number of rows that a walk reads. With a long filter they are fewer, because each of them takes
-- longer. Above all with patterns: one of 60 characters took 0.8 ms for an attribute of 8 KB.
create or replace function pgjobq.rows_to_walk(p_rows int, p_filter pgjobq.job_filter) returns int
language plpgsql immutable as $$
declare
    c_pattern constant int := 20000;    -- a pattern takes as long as so many bytes of other conditions
    v_bytes int := pg_column_size(p_filter.path);
    v_patterns int := cardinality(string_to_array(p_filter.path::text, '" flag "s"')) - 1;
begin
    if v_patterns > 0 then
        v_bytes := 10 * v_bytes + c_pattern * v_patterns;
    end if;
    return p_rows / (1 + v_bytes / 1000);
end $$;

comment on function pgjobq.rows_to_walk is 'Internal. How many rows a walk reads at most.';
