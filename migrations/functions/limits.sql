-- Limits: how many jobs of a kind, a key or a queue are in line or run at a time, in the whole fleet.
--
-- A job under a limit needs a *permit*, a number that no other job under it has. It is a column of the job's
-- row, so it ends with the job, and can neither leak nor be taken twice. A due job without its permit is in
-- the *waiting room*: it has neither a ticket nor a time. Claims never see it, and never count.

-- True if a job may have a ticket: it has each permit that it needs. The constraint `in_line_means_due` says
-- the same. (It is SQL, so that the planner puts its text in place of the call, as in the next two.)
create or replace function pgjobq.may_be_in_line(p_limits smallint, p_permit int, p_queue_permit int)
returns boolean language sql immutable as $$
    select p_limits is null or ((p_limits & 1::smallint = 0 or p_permit is not null)
                                and (p_limits & 2::smallint = 0 or p_queue_permit is not null))
$$;

comment on function pgjobq.may_be_in_line is 'Internal. Whether a job has the permits that it needs.';

-- True if a job needs a permit, of its kind or of its queue.
create or replace function pgjobq.needs_permit(p_limits smallint) returns boolean
language sql immutable as $$
    select p_limits is not null and p_limits & 3::smallint > 0
$$;

comment on function pgjobq.needs_permit is 'Internal. Whether a job needs a permit.';

-- The key under which the limit of a job's kind holds; empty if it holds for the whole kind. It is the third
-- column of the indexes `jobs_with_permit` and `jobs_without_permit`, word by word.
create or replace function pgjobq.permit_key(p_limits smallint, p_key text) returns text
language sql immutable as $$
    select coalesce(case when p_limits & 16::smallint > 0 then p_key end, '')
$$;

comment on function pgjobq.permit_key is 'Internal. The key under which the limit of a job''s kind holds.';

-- The limits of a new job of this kind in this queue, as `jobs.limits` has them; null if there are none.
-- `p_limited` is `settings.limited`.
create or replace function pgjobq.limits_for(p_limited jsonb, p_kind text, p_queue text) returns smallint
language sql immutable as $$
    select case when p_limited is not null then
        nullif(coalesce((p_limited->('kind ' || p_kind))::smallint, 0::smallint)
               | coalesce((p_limited->('queue ' || p_queue))::smallint, 0::smallint), 0::smallint) end
$$;

comment on function pgjobq.limits_for is 'Internal. The limits of a new job.';

-- The same for a job that comes (back) to a queue. A job that lies on another shard than its kind's limit is
-- under none: it was enqueued before the limit existed, and permits there would be counted by themselves.
create or replace function pgjobq.limits_in(p_shard smallint, p_kind text, p_key text, p_queue int)
returns smallint language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    v_limited jsonb; v_shards smallint; v_limits smallint;
begin
    select limited, shards into v_limited, v_shards from pgjobq.settings;
    if v_limited is null then
        return null;
    end if;
    v_limits := pgjobq.limits_for(v_limited, p_kind, (select name from pgjobq.queues where id = p_queue));
    if v_shards > 1 and v_limits & 1::smallint > 0
       and p_shard <> pgjobq.place_of(p_kind, case when v_limits & 16::smallint > 0 then p_key end) % v_shards
    then
        return null;    -- No queue has a limit in a database with several shards.
    end if;
    return v_limits;
end $$;

comment on function pgjobq.limits_in is 'Internal. The limits of a job that comes to a queue.';

-- The limits of each shape of a batch; null if none has any. With several shards, a job is under its kind's
-- limit only if the code that enqueues it knows that (`limit` in the options: `kind`, or `key` if it holds
-- for each key). Otherwise its code is older than the limit, and its id does not name the limit's shard. Its
-- own answer to a conflict (`on_conflict`) is three bits more.
create or replace function pgjobq.limits_of_shapes(
    p_limited jsonb, p_kind text[], p_queue text[], p_shards smallint, p_options text[])
returns smallint[] language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
    v_limits smallint[];
begin
    v_limits := array(
        select case when p_shards = 1 or s.options::jsonb ->> 'limit' = l.scope
                    then l.limits | case when l.limits & 1 > 0 then pgjobq.own_answer(s.options)
                                         else 0::smallint end end
          from unnest(p_kind, p_queue, p_options) with ordinality s(kind, queue, options, n),
               lateral (select f.limits, case when f.limits & 16 > 0 then 'key' else 'kind' end as scope
                          from (select pgjobq.limits_for(p_limited, s.kind, s.queue) as limits) f) l
         order by s.n);
    return case when array_remove(v_limits, null) <> '{}' then v_limits end;
end $$;

comment on function pgjobq.limits_of_shapes is 'Internal. The limits of each shape of a batch.';

-- The bits of a job's own answer to a conflict; 0 if it has none.
create or replace function pgjobq.own_answer(p_options text) returns smallint
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
    return case p_options::jsonb ->> 'on_conflict' when 'wait' then 64 when 'drop' then 128
               when 'cancel_waiting' then 256 when 'cancel_running' then 384 else 0 end;
end $$;

comment on function pgjobq.own_answer is 'Internal. The bits of a job''s own answer to a conflict.';

-- True if jobs of one of these shapes need a permit.
create or replace function pgjobq.any_needs_permit(p_limits smallint[]) returns boolean
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
    return exists (select from unnest(p_limits) l where pgjobq.needs_permit(l));
end $$;

comment on function pgjobq.any_needs_permit is 'Internal. Whether jobs of a batch need permits.';

-- How many jobs of a kind or a queue are in line or run at most; null if there is no such limit.
create or replace function pgjobq.concurrency_of(p_scope text, p_name text) returns int
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    return (select coalesce((overrides->'concurrency'->>'value')::int, concurrency) from pgjobq.limits
             where scope = p_scope and name = p_name);
end $$;

comment on function pgjobq.concurrency_of is 'Internal. The highest number of running jobs under a limit.';

-- Writes which kinds and queues have limits to where an enqueue reads it, if that has changed. Whoever
-- changes `limits` calls it, in the same transaction. It reads them in a statement after the lock: another
-- session that changes other limits meanwhile has committed then, or waits for this one.
create or replace function pgjobq.note_limits() returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform from pgjobq.settings for update;
    update pgjobq.settings s set limited = l.limited
      from pgjobq.limited_now() l where s.limited is distinct from l.limited;
end $$;

comment on function pgjobq.note_limits is 'Internal. Notes which kinds and queues have limits.';

revoke execute on function pgjobq.note_limits from public;

-- The kinds and queues that have limits, as `settings.limited` should have them; null if there are none.
create or replace function pgjobq.limited_now(out limited jsonb)
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    select jsonb_object_agg(b.scope || ' ' || b.name, b.bits) into limited
      from (select l.scope, l.name,
                   case when l.scope = 'kind'
                        then case when n.concurrency is not null or n.rates is not null then 1 else 0 end
                             | case when l.per_key then 16 else 0 end
                             | case when coalesce(l.holds, n.concurrency = 1, false) then 32 else 0 end
                        else case when n.concurrency is not null or n.rates is not null then 2 else 0 end end
                   | case when n.rates is not null then 4 else 0 end as bits
              from pgjobq.limits l,
                   lateral (select pgjobq.concurrency_of(l.scope, l.name) as concurrency,
                                   pgjobq.rates_of(l.scope, l.name) as rates) n) b
     where b.bits & 15 > 0;
end $$;

comment on function pgjobq.limited_now is 'Internal. Which kinds and queues have limits.';

-- Notifies workers that these jobs are in the waiting room; or, without jobs, that permits may have become
-- free. It takes effect when the caller's transaction commits. True if it has not notified them, because
-- `p_notify` is false: the caller admits the jobs itself, once they are committed.
create or replace function pgjobq.announce_limited(p_jobs uuid[], p_notify boolean default true)
returns boolean language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if p_notify then
        perform pg_notify(pgjobq.channel(), 'limited ' || case
            when cardinality(p_jobs) between 1 and 100 then array_to_string(p_jobs, ',') else 'some' end);
    end if;
    return p_notify is not true;
end $$;

comment on function pgjobq.announce_limited is 'Internal. Notifies workers of jobs in the waiting room.';
