-- Queues, kinds, and the partitions of `finished`: what is recorded when a program starts, and never by an
-- enqueue.

-- Creates a queue with its lanes, or what is missing of them, and returns its id. If an open transaction
-- creates the same queue, it waits at most a second, and raises.
create or replace function pgjobq.create_queue(p_name text) returns int language plpgsql
    set lock_timeout = '1s' set search_path = pg_catalog, pg_temp as $$
declare
    v_id int;
begin
    select id into v_id from pgjobq.queues where name = p_name and deleted_at is null;
    if v_id is not null and not exists (
        select 1 from pgjobq.settings, generate_series(0, shards - 1) s(shard)
         where not exists (select 1 from pgjobq.lanes l where l.shard = s.shard and l.queue_id = v_id))
    then
        return v_id;
    end if;
    if v_id is null then
        insert into pgjobq.queues as q (name) values (p_name)
        on conflict (name) do update set deleted_at = null where q.deleted_at is not null;
        select id into v_id from pgjobq.queues where name = p_name;
    end if;
    insert into pgjobq.lanes (shard, queue_id)
    select s.shard, v_id from pgjobq.settings, generate_series(0, shards - 1) s(shard)
    on conflict (shard, queue_id) do nothing;
    return v_id;
exception when lock_not_available then
    raise exception 'the queue % is being created or changed by a transaction that is still open',
        quote_literal(p_name)
        using errcode = 'object_in_use',
            hint = 'Create queues in transactions of their own, which end at once.';
end $$;

comment on function pgjobq.create_queue is
    'Public. Creates a queue, or what is missing of it, and returns its id.';

-- Creates a queue if it is missing, and sets what the code says: how long its ended jobs are kept, in
-- microseconds, and how many of its jobs run at a time in each worker. Null leaves a setting as it is. What
-- operators have set wins.
create or replace function pgjobq.save_queue(p_name text, p_completed bigint, p_dead bigint,
                                             p_cancelled bigint, p_expired bigint, p_slots int default null)
returns int language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    v_id int := pgjobq.create_queue(p_name);
begin
    update pgjobq.queues
       set keep_completed = coalesce(p_completed * interval '1 microsecond', keep_completed),
           keep_dead = coalesce(p_dead * interval '1 microsecond', keep_dead),
           keep_cancelled = coalesce(p_cancelled * interval '1 microsecond', keep_cancelled),
           keep_expired = coalesce(p_expired * interval '1 microsecond', keep_expired)
     where id = v_id and coalesce(p_completed, p_dead, p_cancelled, p_expired) is not null;
    update pgjobq.queues set slots = p_slots where id = v_id and slots is distinct from p_slots
        and p_slots is not null;
    return v_id;
end $$;

comment on function pgjobq.save_queue is
    'Internal. Creates a queue if it is missing, and sets what the code says.';

-- Marks a queue as deleted: nothing more is enqueued in it. Its row and its lanes stay, because an open
-- transaction may have a job for it, which is cancelled later. Its bound and its limit are gone, and what
-- operators have set for it, and only the owner may write that. Null if there is no such queue.
create or replace function pgjobq.delete_queue(p_name text)
returns int language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_id int;
begin
    update pgjobq.queues
       set deleted_at = clock_timestamp(), overrides = null, bound = null, is_bounded = false
     where name = p_name and deleted_at is null
        returning id into v_id;
    delete from pgjobq.pauses where scope = 'queue' and name = p_name and v_id is not null;
    delete from pgjobq.limits where scope = 'queue' and name = p_name and v_id is not null;
    if found then perform pgjobq.note_limits(), pgjobq.announce_limited('{}'); end if;
    perform pg_notify(pgjobq.channel(), 'queues changed') where v_id is not null;
    return v_id;
end $$;

comment on function pgjobq.delete_queue is
    'Public. Deletes a queue: nothing more is enqueued in it, and workers cancel its waiting jobs.';

revoke execute on function pgjobq.delete_queue from public;
