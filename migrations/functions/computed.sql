-- The values that a job computes from its arguments, for an enqueue from SQL: its key, its weight, and its
-- unique key. Rust computes the same (`enqueue/new_row.rs`).

-- Computes what a job shares with others from its arguments, which are of this version, unless the caller has
-- given it: its id is on the shard of its limit or of its unique key. `p_secret` is true if the caller has
-- computed the unique key from arguments that are redacted. `options` are those of `enqueue_many`.
create or replace function pgjobq.compute(
    p_kind pgjobq.kinds, p_queue text, p_args jsonb, p_version int, p_id uuid, p_key text, p_unique_key text,
    p_weight int, p_on_conflict text, p_unique_while text, p_on_duplicate text,
    p_secret boolean default false,
    out job uuid, out key text, out unique_key text, out weight int, out options text)
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    c_kind constant text := p_kind.kind;
    c_by constant jsonb := pgjobq.computed_by(p_kind.computed, p_version, p_args);
    c_secret constant boolean := case when p_unique_key is not null then p_secret
                                      else coalesce((c_by ->> 'secret')::boolean, false) end;
    v_limits int := coalesce(pgjobq.limits_for((select limited from pgjobq.settings), c_kind, p_queue), 0);
    v_limit_key text;
    v_unique jsonb := pgjobq.unique_options(c_by -> 'options', p_unique_while, p_on_duplicate);
begin
    key := coalesce(p_key, pgjobq.computed_text(c_kind, 'key', c_by -> 'key', p_args));
    perform pgjobq.check_key(key);
    weight := nullif(coalesce(p_weight, pgjobq.computed_weight(c_kind, c_by -> 'weight', p_args)), 1);
    v_limit_key := case when v_limits & 16 > 0 then key end;
    unique_key := pgjobq.stored_unique_key(
        v_limit_key, coalesce(p_unique_key, pgjobq.computed_unique(c_kind, c_by -> 'unique', p_args)),
        c_secret);
    if unique_key is null and coalesce(p_unique_while, p_on_duplicate) is not null then
        raise exception 'jobs of the kind % are not unique', quote_literal(c_kind)
            using errcode = 'invalid_parameter_value',
                hint = 'Write unique_key => ..., or leave out unique_while and on_duplicate.';
    end if;
    options := nullif(
        case when unique_key is not null then v_unique else '{}' end
        || jsonb_strip_nulls(jsonb_build_object('on_conflict', p_on_conflict, 'limit', case
               when v_limits & 16 > 0 then 'key' when v_limits & 1 > 0 then 'kind' end)), '{}');
    job := coalesce(p_id, pgjobq.new_id());
    if p_id is null and v_limits & 1 > 0 then
        job := pgjobq.id_at(job, pgjobq.place_of(c_kind, v_limit_key));
    elsif p_id is null and unique_key is not null then
        job := pgjobq.id_at(job, pgjobq.place_of(c_kind, unique_key));
    end if;
end $$;

comment on function pgjobq.compute is 'Internal. Computes what a job shares with others.';

-- What a job computes from arguments of this version, as the code of that version has recorded it. If none
-- has, the nearest version counts, as far as the arguments have its names; what it computes from others is
-- not known (`?`, with the version): a wrong unique key would make one job the duplicate of another one.
create or replace function pgjobq.computed_by(p_computed jsonb, p_version int, p_args jsonb) returns jsonb
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
    v_near jsonb;
begin
    if p_computed is null or p_computed ? p_version::text then
        return p_computed -> p_version::text;
    end if;
    v_near := (select c.rule from jsonb_each(p_computed) c(version, rule)
                order by abs(c.version::int - p_version), c.version::int limit 1);
    return (select jsonb_object_agg(name, case
                       when jsonb_typeof(names) <> 'array' or names ->> 0 in ('*', '?')
                            or p_args ?& array(select jsonb_array_elements_text(names)) then names
                       else jsonb_build_array('?', p_version) end)
              from jsonb_each(v_near) n(name, names));
end $$;

comment on function pgjobq.computed_by is 'Internal. What a job computes from arguments of a version.';

-- The weight of a job; null if its kind computes none.
create or replace function pgjobq.computed_weight(p_kind text, p_by jsonb, p_args jsonb) returns int
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
    if p_by is null then
        return null;
    end if;
    return greatest(1, least(1000000, trunc(
        pgjobq.computed_text(p_kind, 'weight', p_by, p_args)::numeric)))::int;
end $$;

comment on function pgjobq.computed_weight is 'Internal. The weight of a job.';

-- The key or the weight of a job; null if its kind computes none. `p_by` is what `kinds.computed` says.
create or replace function pgjobq.computed_text(p_kind text, p_what text, p_by jsonb, p_args jsonb)
returns text language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
    v_value jsonb := p_args -> (p_by ->> 0);
begin
    if p_by is null then
        return null;
    elsif p_by ->> 0 = '?' or jsonb_typeof(v_value) in ('array', 'object') then
        perform pgjobq.reject_uncomputed(p_kind, p_what, p_what, (p_by ->> 1)::int);
    end if;
    return v_value #>> '{}';
end $$;

comment on function pgjobq.computed_text is 'Internal. The key or the weight of a job.';

-- The unique key of a job, not shortened yet; null if its kind is not unique.
create or replace function pgjobq.computed_unique(p_kind text, p_by jsonb, p_args jsonb) returns text
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
    if p_by ->> 0 = '?' then
        perform pgjobq.reject_uncomputed(p_kind, 'unique key', 'unique_key', (p_by ->> 1)::int);
    elsif p_by ->> 0 = '*' then
        return p_args::text;
    end if;
    return (select jsonb_agg(coalesce(p_args -> name, 'null') order by n)::text
              from jsonb_array_elements_text(p_by) with ordinality b(name, n));
end $$;

comment on function pgjobq.computed_unique is 'Internal. The unique key of a job.';

-- Rejects an enqueue without a value that only the job's code computes: the code of `p_version`, if no
-- program of that version has recorded how.
create or replace function pgjobq.reject_uncomputed(
    p_kind text, p_what text, p_parameter text, p_version int)
returns void language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
    if p_version is not null then
        raise exception 'no program has recorded how version % of % computes the % of a job, and its '
                        'arguments have other names in the version that is recorded', p_version,
            quote_literal(p_kind), p_what using errcode = 'null_value_not_allowed',
                hint = format('Write it: %s => ... Or name the version of the arguments: version => ...',
                              p_parameter);
    end if;
    raise exception 'the code of % computes the % of each job, which SQL cannot', quote_literal(p_kind),
        p_what using errcode = 'null_value_not_allowed', hint = format('Write it: %s => ...', p_parameter);
end $$;

comment on function pgjobq.reject_uncomputed is 'Internal. Rejects an enqueue that lacks a computed value.';

-- A unique key as it is stored: among the jobs with `p_key` if the limit of the kind holds for each key, and
-- a digest if it is long, or made of arguments that are redacted: people see it.
create or replace function pgjobq.stored_unique_key(p_key text, p_unique_key text, p_secret boolean)
returns text
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
    v_stored text := case when p_key is null or p_unique_key is null then p_unique_key
                          else jsonb_build_array(p_key, p_unique_key)::text end;
begin
    if p_secret or octet_length(convert_to(v_stored, 'UTF8')) > 200 then
        return encode(sha256(convert_to(v_stored, 'UTF8')), 'hex');
    end if;
    return v_stored;
end $$;

comment on function pgjobq.stored_unique_key is 'Internal. A unique key as it is stored.';

-- The place of the jobs of a kind, or of those with this key: the last ten bits of their ids, so that all of
-- them are on one shard.
create or replace function pgjobq.place_of(p_kind text, p_key text) returns int
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
    v_digest bytea := sha256(convert_to(concat_ws(' ', p_kind, p_key), 'UTF8'));
begin
    return ((get_byte(v_digest, 30) & 3) << 8) | get_byte(v_digest, 31);
end $$;

comment on function pgjobq.place_of is 'Internal. The place of jobs that share a limit or a unique key.';

-- An id with this place.
create or replace function pgjobq.id_at(p_id uuid, p_place int) returns uuid
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
    v_bytes bytea := uuid_send(p_id);
begin
    v_bytes := set_byte(v_bytes, 14, (get_byte(v_bytes, 14) & 252) | (p_place >> 8));
    return encode(set_byte(v_bytes, 15, p_place & 255), 'hex')::uuid;
end $$;

comment on function pgjobq.id_at is 'Internal. An id with this place.';

-- The jobs of a batch that do not lie on the shard of their kind's limit, or of their unique key, because
-- their ids are the caller's, or those of steps; null if there are none.
create or replace function pgjobq.misplaced_jobs(
    p_shards smallint, p_shape_kind text[], p_limits smallint[], p_id uuid[], p_shape int[], p_key text[],
    p_unique_key text[])
returns uuid[] language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
    return (select array_agg(j.id)
              from unnest(p_id, p_shape, p_key, p_unique_key) j(id, shape, key, unique_key),
                   lateral (select coalesce(p_limits[j.shape], 0::smallint) as limits) l,
                   lateral (select case when l.limits & 16::smallint > 0 then j.key
                                        when l.limits & 1::smallint = 0 then j.unique_key end as key) k
             where (l.limits & 1::smallint > 0 or j.unique_key is not null)
               and pgjobq.shard_of(j.id, p_shards)
                   <> pgjobq.place_of(p_shape_kind[j.shape], k.key) % p_shards);
end $$;

comment on function pgjobq.misplaced_jobs is
    'Internal. Finds jobs on another shard than that of their limit.';

-- The kinds of these whose limits hold on one shard, in a database with several: no step can be of them,
-- because the steps of a workflow are on its shard. Null if there are none.
create or replace function pgjobq.misplaced_kinds(p_kinds text[]) returns text[]
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    return (select array_agg(k.kind)
              from pgjobq.settings s, unnest(p_kinds) k(kind)
             where s.shards > 1 and s.limited is not null
               and pgjobq.limits_for(s.limited, k.kind, '') & 1::smallint > 0);
end $$;

comment on function pgjobq.misplaced_kinds is 'Internal. Finds kinds of which no step can be.';
