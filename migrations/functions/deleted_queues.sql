-- Deleted queues with jobs in line, blocked or waiting for permits. Each is probed in indexes that begin with
-- the queue. A scheduled job of a deleted queue is found once it has come due.
create or replace function pgjobq.deleted_queues(p_shards smallint[])
returns int[] language plpgsql stable as $$
begin
    return array(
        select distinct q.id
          from pgjobq.queues q, unnest(p_shards) s(shard), generate_series(0, 3) p(priority)
         where q.deleted_at is not null
           and (exists (select from pgjobq.ready_line(s.shard, q.id, p.priority, 0, 1))
                or exists (select from pgjobq.quarantine_line(s.shard, q.id, p.priority, 0, 1))
                or p.priority = 0 and (select queue_id from pgjobq.jobs
                                        where shard = s.shard and queue_id = q.id
                                          and ticket is null and (waits_for > 0 or run_at is null)
                                        order by queue_id limit 1) is not null));
end $$;

comment on function pgjobq.deleted_queues is 'Internal. Finds deleted queues with jobs in line or blocked.';

-- Queues that were deleted so long ago that none of their ended jobs is kept any more, if each is kept as the
-- queue says.
create or replace function pgjobq.forgettable_queues(p_now timestamptz default clock_timestamp())
returns int[] language plpgsql stable as $$
begin
    return array(select id from pgjobq.queues
                  where deleted_at + greatest(pgjobq.keep_of(id, 'completed'), pgjobq.keep_of(id, 'dead'),
                                              pgjobq.keep_of(id, 'cancelled'), pgjobq.keep_of(id, 'expired'),
                                              '30 days') < p_now - interval '1 day');
end $$;

comment on function pgjobq.forgettable_queues is 'Internal. Finds queues that were deleted long ago.';

-- Deletes the row of a deleted queue, unless a job or a lease of it is left in any shard: without its lanes
-- nothing could end them. No index finds the scheduled jobs of a queue, so this may read all jobs. It happens
-- once in the life of a queue.
create or replace function pgjobq.forget_queue(p_queue int) returns void language plpgsql as $$
begin
    if exists (select 1 from pgjobq.leases where queue_id = p_queue) then
        return;
    end if;
    delete from pgjobq.queues
     where id = p_queue and deleted_at is not null
       and not exists (select 1 from pgjobq.jobs where queue_id = p_queue);
    if found then
        delete from pgjobq.lanes where queue_id = p_queue;
        delete from pgjobq.room where queue_id = p_queue;
    end if;
end $$;

comment on function pgjobq.forget_queue is 'Internal. Deletes the row of a deleted queue.';

-- Ids of queues that do not exist although jobs wait in them: rows written by hand. It skips from queue to
-- queue. No index has the scheduled jobs by queue, so it reads those that come due next.
create or replace function pgjobq.stray_queues(p_shard smallint) returns int[] language plpgsql stable as $$
begin
    return array(
        with recursive used as (
            select -2147483648 as queue_id
            union all
            select least((select j.queue_id from pgjobq.jobs j
                           where j.shard = p_shard and j.ticket is not null and j.crashes = 0
                             and j.queue_id > u.queue_id
                           order by j.queue_id limit 1),
                         (select j.queue_id from pgjobq.jobs j
                           where j.shard = p_shard and j.ticket is not null and j.crashes > 0
                             and j.queue_id > u.queue_id
                           order by j.queue_id limit 1),
                         (select j.queue_id from pgjobq.jobs j
                           where j.shard = p_shard and j.ticket is null
                             and (j.waits_for > 0 or j.run_at is null) and j.queue_id > u.queue_id
                           order by j.queue_id limit 1))
              from used u where u.queue_id is not null)
        select queue_id from (
            select queue_id from used where queue_id > -2147483648
            union
            select queue_id from (select queue_id from pgjobq.jobs
                                   where shard = p_shard and run_at is not null and waits_for = 0
                                   order by run_at limit 10000) next) u
         where not exists (select 1 from pgjobq.queues q where q.id = u.queue_id)
         order by queue_id);
end $$;

comment on function pgjobq.stray_queues is
    'Internal. Finds the ids of queues that do not exist, in which jobs wait.';
