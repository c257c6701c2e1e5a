-- Versions of arguments: the shapes in which the code of a job has stored them. The first version is stored
-- nowhere; a later one is the `version` in the job's `meta`, which goes wherever the arguments go.

-- The name that a worker must know to take a job: its kind, and from version 2 on the version: `thumbnail@2`.
-- No kind contains an `@`. For all other jobs it evaluates one operator, and copies nothing. It is inlined,
-- also into queries that run with the search path of the connection, so it qualifies its operators.
create or replace function pgjobq.versioned_kind(p_kind text, p_meta jsonb) returns text
language sql immutable as $$
    select case when p_meta operator(pg_catalog.?) 'version'::text
                then p_kind operator(pg_catalog.||) '@'::text
                     operator(pg_catalog.||) (p_meta operator(pg_catalog.->>) 'version'::text)
                else p_kind end
$$;

comment on function pgjobq.versioned_kind is 'Internal. The name that a worker must know to take a job.';

-- The `meta` of a job that gets arguments of this version: a number, or null for the first one; of which
-- these are not shown, or if that is null, the same as before.
create or replace function pgjobq.with_version(p_meta jsonb, p_version jsonb, p_redact jsonb default null)
returns jsonb language plpgsql immutable as $$
begin
    return nullif(coalesce(p_meta, '{}') - 'version'
                  || case when p_version is null or p_version in ('null', '1') then '{}'
                          else jsonb_build_object('version', p_version) end
                  || case when p_redact is null then '{}'
                          else jsonb_build_object('redact', p_redact) end, '{}');
end $$;

comment on function pgjobq.with_version is 'Internal. The `meta` of a job that gets other arguments.';

-- Rejects a version that no code can have.
create or replace function pgjobq.check_version(p_version int) returns void
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
    if (p_version between 1 and 32767) is not true then
        raise exception 'the version of arguments is 1 to 32767, not %', coalesce(p_version::text, 'null')
            using errcode = 'numeric_value_out_of_range',
                hint = 'It says in which shape the arguments are: the version of the job function then.';
    end if;
end $$;

comment on function pgjobq.check_version is 'Internal. Rejects a version that no code can have.';

-- The versions of a kind that a worker can read, by the names of `workers.kinds`.
create or replace function pgjobq.versions_in(p_kinds text[], p_kind text) returns int[]
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
    return array(select coalesce(nullif(split_part(name, '@', 2), ''), '1')::int
                   from unnest(p_kinds) name
                  where split_part(name, '@', 1) = p_kind and name ~ '^[^@]*(@[0-9]{1,5})?$' order by 1);
end $$;

comment on function pgjobq.versions_in is 'Internal. The versions of a kind that a worker can read.';
