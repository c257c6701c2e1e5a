-- Unique jobs: a job is enqueued only if no other of its kind *holds* its unique key.
--
-- The enqueue says how long another job holds the key: while it is `live`; while it is `waiting`, until a
-- worker claims it; or for a `time` after its own enqueue, which `unique_until` has. The first two are read
-- from the rows of the jobs, so no end, retry, crash or requeue of a job has to do anything about its key.
--
-- An enqueue reads the holders first. A job whose key is held is a duplicate, and locks nothing. For any
-- other job the enqueue locks the key, and reads its holder again in a later statement. Keys are locked in
-- their order, and before any job is inserted: so two enqueues wait for each other in no circle.

-- Inserts the new ones of a batch that has unique jobs. `held` has an array for each job whose key another
-- one holds: its id, its holder, and if there is a request for it (see `unique_requests.sql`). It asks to
-- change its holder; or its holder may be claimed before the transaction of a caller commits. A job without a
-- holder counts as inserted, and is one for which only a later transaction can find its holder.
create or replace function pgjobq.insert_unique(
    p_now timestamptz, p_shards smallint, p_queues int[], p_shape_kind text[], p_shape_priority smallint[],
    p_shape_retries smallint[], p_shape_max_crashes smallint[], p_id uuid[], p_shape int[], p_args text[],
    p_meta text[], p_attributes text[], p_key text[], p_delay bigint[], p_at bigint[], p_expires bigint[],
    p_waits_for int[], p_limits smallint[], p_weight int[], p_unique_key text[], p_options text[],
    p_is_callers boolean, p_notify boolean,
    out inserted int, out new uuid[], out held jsonb, out delays bigint[])
language plpgsql as $$
declare
    v_jobs pgjobq.unique_job[] := pgjobq.unique_jobs(
        p_shards, p_shape_kind, p_options, p_id, p_shape, p_unique_key, p_waits_for);
    -- Without options of any job there is no array of them.
    v_slots smallint[] := array(
        select case when coalesce(p_options[n]::jsonb->>'unique', 'live') = 'live' then 0 end
          from generate_subscripts(p_shape_kind, 1) n order by n);
    v_admitted record := pgjobq.admit_unique(v_jobs, p_now, p_is_callers);
    v_held int[] := array(select n from unnest(v_admitted.held));
    v_ids uuid[];
begin
    delays := pgjobq.debounced(v_jobs, cardinality(p_id), p_delay, p_at);
    if v_admitted.asked <> '{}' then
        insert into pgjobq.unique_requests (shard, id, holder, holder_created_at, lasts, answer, job)
        select r.shard, r.id, h.id, h.created_at, u.lasts, u.answer, to_jsonb(r)
          from pgjobq.new_rows(
                   p_now, p_shards, p_queues, p_shape_kind, p_shape_priority, p_shape_retries,
                   p_shape_max_crashes, pgjobq.ids_at(p_id, v_admitted.asked, true), p_shape, p_args, p_meta,
                   p_attributes, p_key, delays, p_at, p_expires, p_waits_for, p_limits, p_weight,
                   p_unique_key, v_slots) r
               join unnest(v_jobs) u on u.id = r.id and u.n = any (v_admitted.asked)
               left join unnest(v_admitted.held) h on h.n = u.n
        on conflict (shard, id) do nothing;
    end if;
    v_ids := pgjobq.ids_at(p_id, v_held || v_admitted.deferred, false);
    select b.inserted, case when b.inserted = cardinality(p_id) then p_id else coalesce(b.new, '{}') end
      into inserted, new from pgjobq.insert_batch(
        p_now, p_shards, p_queues, p_shape_kind, p_shape_priority, p_shape_retries, p_shape_max_crashes,
        v_ids, p_shape, p_args, p_meta, p_attributes, p_key, delays, p_at, p_expires, p_waits_for, p_limits,
        p_weight, p_unique_key, v_slots) b;
    perform pgjobq.announce_unique() where p_notify and v_admitted.asked <> '{}';
    inserted := inserted + cardinality(v_admitted.deferred);
    new := new || array(select p_id[n] from unnest(v_admitted.deferred) n);
    held := (select jsonb_agg(jsonb_build_array(p_id[h.n], h.id, h.n = any (v_admitted.asked)))
               from (select n, id from unnest(v_admitted.held)
                     union all select n, null from unnest(v_admitted.deferred) n) h);
end $$;

comment on function pgjobq.insert_unique is 'Internal. Inserts a batch that has unique jobs.';

-- The ids at these places, or at all others; the rest are null.
create or replace function pgjobq.ids_at(p_id uuid[], p_places int[], p_is_there boolean) returns uuid[]
language plpgsql immutable as $$
begin
    return array(select case when n = any (p_places) = p_is_there then id end
                   from unnest(p_id) with ordinality u(id, n) order by n);
end $$;

comment on function pgjobq.ids_at is 'Internal. Some ids of a batch.';

-- The delays of a batch, with those of debounced jobs that have no time of their own.
create or replace function pgjobq.debounced(
    p_jobs pgjobq.unique_job[], p_count int, p_delay bigint[], p_at bigint[]) returns bigint[]
language plpgsql immutable as $$
begin
    if not exists (select from unnest(p_jobs) where debounce is not null) then
        return p_delay;
    end if;
    return array(select coalesce(p_delay[i.n], case when p_at[i.n] is null then u.debounce end)
                   from generate_series(1, p_count) i(n)
                        left join unnest(p_jobs) u on u.n = i.n and not u.is_blocked
                  order by i.n);
end $$;

comment on function pgjobq.debounced is 'Internal. The delays of a batch with debounced jobs.';

-- Decides which unique jobs of a batch are new: all but the `held`. Those `asked` for need a request; of
-- these the `deferred` have no holder that this transaction can see, and may have one all the same.
create or replace function pgjobq.admit_unique(
    p_jobs pgjobq.unique_job[], p_now timestamptz, p_is_callers boolean,
    out held pgjobq.unique_holder[], out asked int[], out deferred int[])
language plpgsql as $$
declare
    v_free pgjobq.unique_job[];
    v_is_old boolean := current_setting('transaction_isolation') in ('repeatable read', 'serializable');
begin
    held := pgjobq.unique_holders(p_jobs);
    v_free := pgjobq.jobs_not_held(p_jobs, held);
    -- step: holders read
    if v_free <> '{}' then
        perform pgjobq.lock_unique_keys(v_free);
        -- step: unique keys locked
        held := held || pgjobq.unique_holders(v_free);
        v_free := pgjobq.jobs_not_held(v_free, held);
        held := held || pgjobq.held_within_batch(v_free, p_now);
        v_free := pgjobq.jobs_not_held(v_free, held);
        perform pgjobq.take_unique_keys(v_free);
    end if;
    -- An older snapshot does not see a job that was enqueued meanwhile.
    deferred := array(select n from unnest(v_free) where lasts = 'waiting' and v_is_old);
    asked := deferred || array(
        select u.n from unnest(p_jobs) u, unnest(held) h
         where h.n = u.n and h.created_at is not null and h.id <> u.id and not u.is_blocked
           and (u.answer <> 'keep' or p_is_callers and u.lasts = 'waiting'));
end $$;

comment on function pgjobq.admit_unique is 'Internal. Decides which unique jobs of a batch are new.';

-- The unique jobs of a batch, in the order of their keys.
create or replace function pgjobq.unique_jobs(
    p_shards smallint, p_shape_kind text[], p_options text[], p_id uuid[], p_shape int[], p_unique_key text[],
    p_waits_for int[])
returns pgjobq.unique_job[] language plpgsql as $$
begin
    return array(
        select (u.n, u.shard, u.kind, u.unique_key, u.lasts, u.lasts_for, u.answer, u.debounce, u.is_blocked,
                u.id)::pgjobq.unique_job
          from (select i.n, pgjobq.shard_of(i.id, p_shards) as shard, p_shape_kind[i.shape] as kind,
                       i.unique_key, coalesce(o.options->>'unique', 'live') as lasts,
                       (o.options->>'unique_for')::bigint * interval '1 microsecond' as lasts_for,
                       case when o.options ? 'debounce' then 'replace'
                            else coalesce(o.options->>'duplicate', 'keep') end as answer,
                       (o.options->>'debounce')::bigint as debounce,
                       coalesce(p_waits_for[i.n] > 0, false) as is_blocked, i.id
                  from unnest(p_id, p_shape, p_unique_key) with ordinality i(id, shape, unique_key, n),
                       lateral (select p_options[i.shape]::jsonb as options) o
                 where i.unique_key is not null) u
         order by u.shard, u.kind, u.unique_key, u.n);
end $$;

comment on function pgjobq.unique_jobs is 'Internal. The unique jobs of a batch.';

-- The holders of the keys of some jobs: of each job at most one.
create or replace function pgjobq.unique_holders(p_jobs pgjobq.unique_job[])
returns pgjobq.unique_holder[] language plpgsql as $$
declare
    v_now timestamptz := clock_timestamp();
begin
    return array(
        select (u.n, h.id, h.created_at)::pgjobq.unique_holder
          from unnest(p_jobs) u,
               lateral ((select j.id, j.created_at from pgjobq.jobs_with_unique_key(u) j
                          where u.lasts = 'live' or u.lasts = 'waiting' and not pgjobq.is_leased(j)
                          limit 1)
                        union all
                        (select t.job, j.created_at
                           from (select job, until from pgjobq.unique_until
                                  where shard = u.shard and kind = u.kind and unique_key = u.unique_key
                                 offset 0) t
                                left join lateral pgjobq.job_row(u.shard, t.job) j
                                  on j.kind = u.kind and j.unique_key = u.unique_key
                          where u.lasts = 'time' and t.until > v_now)) h);
end $$;

comment on function pgjobq.unique_holders is 'Internal. The holders of unique keys.';

-- The live jobs with the unique key of a job.
create or replace function pgjobq.jobs_with_unique_key(p_job pgjobq.unique_job) returns setof pgjobq.jobs
language sql stable as $$
    select * from pgjobq.jobs
     where shard = p_job.shard and kind >= p_job.kind and kind <= p_job.kind
       and unique_key >= p_job.unique_key and unique_key <= p_job.unique_key
     order by kind, unique_key
$$;

comment on function pgjobq.jobs_with_unique_key is 'Internal. The live jobs with a unique key.';

-- True if a lease covers the ticket of a job: a worker has claimed it. (It is stable, because the leases must
-- be those of the snapshot in which the job was read.)
create or replace function pgjobq.is_leased(p_job pgjobq.jobs) returns boolean language plpgsql stable as $$
begin
    return exists (
        select from pgjobq.leases
         where shard = p_job.shard and queue_id = p_job.queue_id and priority = p_job.priority
           and max_ticket >= p_job.ticket and tickets @> p_job.ticket);
end $$;

comment on function pgjobq.is_leased is 'Internal. Whether a worker has claimed a job.';

-- Those of some jobs that are not among the held.
create or replace function pgjobq.jobs_not_held(p_jobs pgjobq.unique_job[], p_held pgjobq.unique_holder[])
returns pgjobq.unique_job[] language plpgsql as $$
begin
    return array(select (u.n, u.shard, u.kind, u.unique_key, u.lasts, u.lasts_for, u.answer, u.debounce,
                         u.is_blocked, u.id)::pgjobq.unique_job
                   from unnest(p_jobs) with ordinality u
                  where not exists (select from unnest(p_held) h where h.n = u.n)
                  order by u.ordinality);
end $$;

comment on function pgjobq.jobs_not_held is 'Internal. Leaves out the jobs whose unique key is held.';

-- Locks the keys of some jobs until the transaction ends. Nobody else sees the rows. The order is that of the
-- keys.
create or replace function pgjobq.lock_unique_keys(p_jobs pgjobq.unique_job[]) returns void
language plpgsql as $$
declare
    v_rows tid[];
begin
    with locked as (
        insert into pgjobq.unique_locks (shard, kind, unique_key)
        select distinct shard, kind, unique_key from unnest(p_jobs) order by shard, kind, unique_key
        on conflict do nothing
        returning ctid)
    select array_agg(ctid) into v_rows from locked;
    delete from pgjobq.unique_locks where ctid = any (v_rows);
end $$;

comment on function pgjobq.lock_unique_keys is 'Internal. Locks unique keys until the transaction ends.';

-- The jobs of a batch whose key is that of an earlier one: that is the holder.
create or replace function pgjobq.held_within_batch(p_jobs pgjobq.unique_job[], p_now timestamptz)
returns pgjobq.unique_holder[] language plpgsql as $$
begin
    return array(
        select (u.n, u.first_id, p_now)::pgjobq.unique_holder
          from (select n, first_value(id) over same_key as first_id, first_value(n) over same_key as first_n
                  from unnest(p_jobs)
                window same_key as (partition by shard, kind, unique_key order by n)) u
         where u.n > u.first_n);
end $$;

comment on function pgjobq.held_within_batch is 'Internal. The unique jobs that a batch has twice.';

-- Takes the keys of new jobs that hold theirs for a time.
create or replace function pgjobq.take_unique_keys(p_jobs pgjobq.unique_job[]) returns void
language plpgsql as $$
declare
    v_now timestamptz := clock_timestamp();
begin
    insert into pgjobq.unique_until as t (shard, kind, unique_key, job, until)
    select shard, kind, unique_key, id, v_now + lasts_for from unnest(p_jobs)
     where lasts = 'time' order by shard, kind, unique_key
    on conflict (shard, kind, unique_key) do update set job = excluded.job, until = excluded.until;
end $$;

comment on function pgjobq.take_unique_keys is 'Internal. Takes unique keys for a time.';

-- Deletes at most `p_most` unique keys whose time is over. True if there may be more.
create or replace function pgjobq.tidy_unique(p_shard smallint, p_most int) returns boolean
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    v_deleted int;
begin
    delete from pgjobq.unique_until
     where ctid = any (array(select ctid from pgjobq.unique_until
                              where shard = p_shard and until < clock_timestamp()
                              order by until limit p_most for update skip locked));
    get diagnostics v_deleted = row_count;
    return v_deleted = p_most;
end $$;

comment on function pgjobq.tidy_unique is 'Internal. Deletes unique keys whose time is over.';
