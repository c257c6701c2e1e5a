-- Completes a job inside a transaction of the job function's own: the completion commits with the function's
-- writes, or not at all. Returns false if the lease no longer has the job; then the caller has to roll the
-- transaction back.
--
-- It reads the lease row without a lock, so that a transaction left open holds up its own job alone. The
-- ticket, compared in the statement that deletes the job's row, decides: each statement that takes a job from
-- its lease gives it a new ticket, or skips the locked row.
create or replace function pgjobq.complete_in(
    p_shard smallint, p_worker bigint, p_queue int, p_priority smallint, p_max_ticket bigint, p_lease bigint,
    p_id uuid, p_ticket bigint, p_keep bigint, p_output text)
returns boolean language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    v_done uuid[];
    v_steps jsonb[];
    v_places int[];
begin
    perform from pgjobq.leases
      where shard = p_shard and queue_id = p_queue and priority = p_priority
        and max_ticket >= p_max_ticket and max_ticket <= p_max_ticket and id = p_lease and worker = p_worker
      order by max_ticket;
    if not found then
        return false;
    end if;
    -- step: lease seen
    -- An older snapshot does not see edges that were confirmed since.
    if current_setting('transaction_isolation') <> 'read committed' then
        insert into pgjobq.ended_parents (shard, parent, created_at, outcome)
        select p_shard, p_id, j.created_at, 'completed' from pgjobq.job_row(p_shard, p_id) j
        on conflict do nothing;
    end if;
    if p_keep is null then
        select d.deleted, d.steps, d.places into v_done, v_steps, v_places from pgjobq.delete_jobs(
            p_shard, null, array[p_id], array[p_ticket], '{delete}', array[p_output]) d;
    else
        select e.ended, e.steps, e.places into v_done, v_steps, v_places from pgjobq.end_jobs(
            p_shard, null, true, null, array[p_id], array[p_ticket], '{complete}', array[p_keep],
            array[p_output]) e;
    end if;
    if v_steps is not null then
        perform pgjobq.end_steps(p_shard, v_steps, false);
    end if;
    -- Who waits for room finds it at the next look: a notification would hold up other commits.
    if v_places is not null then
        perform pgjobq.give_room(p_shard, v_places, false);
    end if;
    -- step: job deleted
    perform pgjobq.end_parents(p_shard, v_done);
    return v_done is not null;
end $$;

comment on function pgjobq.complete_in is
    'Internal. Completes a running job inside the job function''s own transaction.';
