-- Inserts one job: what `enqueue_many` does, with the same answer. Most enqueues are of one job, and without
-- arrays the function costs half as much. A job under a limit is passed on to that function.
create or replace function pgjobq.enqueue_one(
    p_kind text, p_queue text, p_priority smallint, p_retries smallint, p_max_crashes smallint,
    p_id uuid, p_args text, p_meta text, p_attributes text, p_key text, p_delay bigint, p_at bigint,
    p_expires bigint, p_notify boolean, p_patience int, p_program int default null, p_room text default 'all',
    out inserted int, out unknown text[], out duplicate uuid[], out other_kind uuid[], out wake int[],
    out limited boolean, out misplaced uuid[], out "full" jsonb)
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    v_now timestamptz := clock_timestamp();     -- The start of a long transaction would be too early.
    v_due timestamptz := coalesce(v_now + p_delay * interval '1 microsecond',
                                  timestamptz 'epoch' + p_at * interval '1 microsecond');
    v_shards smallint; v_oldest int; v_queue int; v_bounded boolean; v_idle boolean; v_any jsonb;
    v_limited boolean; v_seated boolean; v_set text;
begin
    if p_patience is not null then v_set := set_config('lock_timeout', p_patience::text, true); end if;
    select s.shards, s.oldest_program, q.id, q.is_bounded,
           exists (select from pgjobq.workers w where w.shard = 0 and q.id = any (w.idle)), s.limited
      into v_shards, v_oldest, v_queue, v_bounded, v_idle, v_any
      from pgjobq.settings s left join pgjobq.queues q on q.name = p_queue and q.deleted_at is null;
    if p_program < v_oldest then perform pgjobq.reject_program(); end if;
    if v_queue is null then
        unknown := array[p_queue]; inserted := 0; return;
    end if;
    -- Even an operand that is not evaluated has a cost: each transaction prepares the whole expression.
    if v_any is not null then v_limited := pgjobq.limits_for(v_any, p_kind, p_queue) is not null; end if;
    if v_limited then
        select e.inserted, e.unknown, e.duplicate, e.other_kind, e.wake, e.limited, e.misplaced, e."full"
          into inserted, unknown, duplicate, other_kind, wake, limited, misplaced, "full"
          from pgjobq.enqueue_many(
              array[p_kind], array[p_queue], array[p_priority], array[p_retries], array[p_max_crashes],
              array[p_id], '{1}', array[p_args], array[p_meta], array[p_attributes], array[p_key],
              array[p_delay], array[p_at], array[p_expires], p_notify, p_patience, p_program,
              p_room => p_room) e;
        return;
    end if;
    -- step: queues read
    if v_bounded then v_seated := pgjobq.seat_job(v_queue, p_room = 'turn'); end if;
    if not v_seated then
        select r.duplicate, r.other_kind, r."full" into duplicate, other_kind, "full"
          from pgjobq.without_room(v_queue, p_kind, p_id) r;
        inserted := 0; return;
    end if;
    insert into pgjobq.jobs (shard, id, queue_id, priority, kind, args, meta, attributes, key, run_at,
                             expires_at, retries, max_crashes, created_at, limits, ticket)
    values (case when v_shards = 1 then 0::smallint else pgjobq.shard_of(p_id, v_shards) end,
            p_id, v_queue, p_priority, p_kind, p_args::jsonb, p_meta::jsonb, p_attributes::jsonb, p_key,
            case when v_due > v_now then v_due end, v_now + p_expires * interval '1 microsecond', p_retries,
            p_max_crashes, v_now, case when v_bounded then 8 end,
            case when v_due > v_now then null else nextval('pgjobq.ticket') end)
    on conflict (shard, id) do nothing;
    get diagnostics inserted = row_count;
    -- step: jobs inserted
    if inserted = 0 then
        if v_bounded then perform pgjobq.give_room(0::smallint, array[v_queue], false); end if;
        select d.live, d.other_kind into duplicate, other_kind
          from pgjobq.duplicates(v_shards, array[p_kind], array[p_id], array[1], null) d;
    end if;
    if v_idle then wake := pgjobq.announce_jobs(
        array[v_queue], array[coalesce(p_delay, p_at)], p_notify); end if;
end $$;

comment on function pgjobq.enqueue_one is 'Internal. Inserts one job.';
