-- The stored arguments of jobs: reading them all before a deploy, and correcting those of one job.

-- The arguments of the next jobs of a shard that have not ended, after the id `p_after` (null: from the first
-- one): at most `p_rows`, and about 4 MiB of them. Among them are the unique jobs of which it is not settled
-- yet if they are enqueued (see `unique_requests`); one of these may have the id of a live job, and then both
-- are in one answer. The arguments of a step whose parents have not ended are mostly incomplete
-- (`is_blocked`). `args` is null if they are longer than 8 MiB.
create or replace function pgjobq.waiting_args(p_shard smallint, p_after uuid, p_rows int)
returns table (id uuid, kind text, version text, args text, is_blocked boolean)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    c_most constant int := 4194304;
    v_from uuid := coalesce(p_after, '00000000-0000-0000-0000-000000000000');   -- an id, too
    v_bytes int := 0;
    w record;
begin
    for w in
        select u.id, u.kind, u.args, u.meta, u.is_blocked
          from ((select j.id, j.kind, j.args, j.meta, j.waits_for > 0 as is_blocked from pgjobq.jobs j
                  where j.shard = p_shard and j.id >= v_from and (p_after is null or j.id <> p_after)
                  order by j.id limit p_rows)
                union all
                (select r.id, r.job ->> 'kind', r.job -> 'args', r.job -> 'meta', false
                   from pgjobq.unique_requests r
                  where r.shard = p_shard and r.id >= v_from and (p_after is null or r.id <> p_after)
                  order by r.id limit p_rows)) u
         order by u.id fetch first (p_rows) rows with ties
    loop
        exit when v_bytes >= c_most and w.id <> waiting_args.id;
        id := w.id; kind := w.kind; version := w.meta ->> 'version'; is_blocked := w.is_blocked;
        args := pgjobq.printed(w.args, 2 * c_most);
        v_bytes := v_bytes + coalesce(octet_length(args), 0);
        return next;
    end loop;
end $$;

comment on function pgjobq.waiting_args is 'Internal. The arguments of jobs that have not ended.';

-- Changes the arguments of a job that does not run: one that waits, or one that is dead, cancelled or expired
-- and can be requeued then. A null version leaves it as it is; null attributes leave them. Its key and its
-- unique key stay. Who did it is noted in its `meta`, and goes with it.
--
-- `answer` is `changed`, `running`, `busy` (another transaction has locked it), `completed`, `other_kind` (it
-- is none of `p_kinds`, but `kind`), or `unknown`. A waiting job may be leased at any moment, so its lane is
-- locked first, as in `waiting.sql`.
create or replace function pgjobq.change_args(
    p_job uuid, p_args jsonb, p_version int, p_attributes jsonb, p_kinds text[], p_by text, p_reason text,
    out answer text, out kind text)
language plpgsql security definer set lock_timeout = '10s' set search_path = pg_catalog, pg_temp as $$
declare
    v_shard smallint := (select pgjobq.shard_of(p_job, shards) from pgjobq.settings);
    v_now timestamptz := clock_timestamp();
    v_taken record;
    v_end pgjobq.finished;
begin
    perform pgjobq.reject_open_transaction();
    kind := (select j.kind from pgjobq.job_row(v_shard, p_job) j);
    if kind <> all (p_kinds) then
        answer := 'other_kind'; return;
    end if;
    select * into v_taken from pgjobq.take_waiting(v_shard, array[p_job]);
    -- step: waiting job taken
    if v_taken.waiting <> '{}' then
        update pgjobq.jobs j
           set args = p_args, attributes = coalesce(nullif(p_attributes, '{}'), case when p_attributes is null
                                                                                    then j.attributes end),
               meta = pgjobq.edited_meta(j.meta, p_version, p_by, p_reason, v_now)
         where j.shard = v_shard and j.id = p_job;
        answer := 'changed';
    elsif v_taken.running <> '{}' then
        answer := case when v_taken.busy <> '{}' then 'busy' else 'running' end;
    else
        select f.* into v_end from pgjobq.finished f
         where f.shard = v_shard and f.id = p_job order by f.finished_at desc limit 1 for update;
        -- step: ended job locked
        kind := v_end.kind;
        answer := case when exists (select from pgjobq.job_row(v_shard, p_job)) then 'busy'
                       when v_end.id is null then 'unknown'
                       when v_end.kind <> all (p_kinds) then 'other_kind'
                       when v_end.outcome = 'completed' then 'completed' else 'changed' end;
        update pgjobq.finished f
           set args = p_args, attributes = coalesce(nullif(p_attributes, '{}'), case when p_attributes is null
                                                                                    then f.attributes end),
               meta = pgjobq.edited_meta(f.meta, p_version, p_by, p_reason, v_now)
         where answer = 'changed' and f.shard = v_shard and f.id = p_job and f.drop_on = v_end.drop_on
           and f.finished_at = v_end.finished_at;
    end if;
end $$;

comment on function pgjobq.change_args is 'Internal. Changes the arguments of a job that does not run.';

revoke execute on function pgjobq.change_args from public;

-- The `meta` of a job whose arguments a person has changed.
create or replace function pgjobq.edited_meta(
    p_meta jsonb, p_version int, p_by text, p_reason text, p_at timestamptz)
returns jsonb language plpgsql stable as $$
begin
    return coalesce(case when p_version is null then p_meta
                         else pgjobq.with_version(p_meta, to_jsonb(p_version)) end, '{}')
           || jsonb_build_object('edited', jsonb_strip_nulls(jsonb_build_object(
                  'by', left(coalesce(p_by, session_user), 100), 'role', session_user, 'at', p_at,
                  'reason', left(p_reason, 100))));
end $$;

comment on function pgjobq.edited_meta is 'Internal. The `meta` of a job whose arguments were changed.';

-- Changes the arguments of a job, for people. It raises what `change_args` answers.
create or replace function pgjobq.set_args(
    job uuid, args jsonb, version int default null, by text default null, reason text default null)
returns void language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    v_answer text;
begin
    perform pgjobq.check_args(set_args.args), pgjobq.check_version(coalesce(set_args.version, 1));
    v_answer := (select c.answer from pgjobq.change_args(
        set_args.job, set_args.args, set_args.version, null, null, set_args.by, set_args.reason) c);
    if v_answer <> 'changed' then
        raise exception 'the arguments of job % were not changed: %', set_args.job,
            case v_answer when 'running' then 'it runs' when 'completed' then 'it has completed'
                          when 'busy' then 'another transaction is changing it'
                          else 'there is no such job' end
            using errcode = 'object_not_in_prerequisite_state',
                hint = case v_answer when 'running' then 'Cancel it, and call this again when it has ended.'
                                     when 'busy' then 'Try again.' else 'Enqueue another job.' end;
    end if;
end $$;

comment on function pgjobq.set_args is
    'Public. Changes the arguments of a job that does not run; one that has ended can be requeued then. Call '
    'it in a transaction of its own, in one simple query.';

-- Explains that a person has changed the arguments of a job.
create or replace function pgjobq.explain_edit(p_meta jsonb)
returns table (code text, sentence text, details jsonb) language plpgsql stable
    set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    v_edit jsonb := p_meta -> 'edited';
    v_at timestamptz := (v_edit ->> 'at')::timestamptz;
begin
    if v_at is not null then
        code := 'edited';
        sentence := format('Its arguments were changed at %s by %s (role `%s`)%s.', pgjobq.moment(v_at),
                           v_edit ->> 'by', v_edit ->> 'role', coalesce(': ' || (v_edit ->> 'reason'), ''));
        details := v_edit || jsonb_build_object('at', pgjobq.micros(v_at));
        return next;
    end if;
exception when data_exception then
    return;     -- A `meta` that was written by hand may be anything.
end $$;

comment on function pgjobq.explain_edit is 'Internal. Explains who has changed the arguments of a job.';
