-- Cancels waiting jobs of a queue, at most `p_most` at once: of one priority the jobs in line after the
-- ticket `p_after`; without a priority the jobs scheduled after that time, in microseconds since 1970, and
-- the blocked ones, and those that wait for permits. `scanned_to` is where to go on, and null at the end.
create or replace function pgjobq.purge_queue(
    p_shard smallint, p_queue int, p_priority smallint, p_after bigint, p_most int, p_reason text,
    out cancelled uuid[], out scanned_to bigint)
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    v_jobs uuid[];
begin
    if p_priority is not null then
        select array_agg(j.id), max(j.ticket) into v_jobs, scanned_to
          from (select id, ticket
                  from ((select id, ticket from pgjobq.ready_line(
                            p_shard, p_queue, p_priority, p_after, p_most))
                        union all
                        (select id, ticket from pgjobq.quarantine_line(p_shard, p_queue, p_priority, p_after,
                                                                       p_most))) lines
                 order by ticket limit p_most) j;
    else
        select s.ids, s.scanned_to into v_jobs, scanned_to
          from pgjobq.scheduled_jobs(p_shard, p_queue, p_after, p_most) s;
        v_jobs := v_jobs || array(select id from pgjobq.jobs
                                   where shard = p_shard and queue_id = p_queue
                                     and ticket is null and (waits_for > 0 or run_at is null)
                                   order by queue_id limit p_most);
    end if;
    -- step: jobs read
    select t.waiting into cancelled from pgjobq.take_waiting(p_shard, coalesce(v_jobs, '{}')) t;
    if cardinality(cancelled) > 0 then
        perform pgjobq.end_waiting(p_shard, cancelled, 'cancel', session_user, p_reason);
        scanned_to := coalesce(scanned_to, p_after); -- Of those that are not in line there may be more.
    elsif scanned_to <= p_after then
        scanned_to := p_after + 1; -- All of them are locked by others.
    end if;
end $$;

comment on function pgjobq.purge_queue is 'Internal. Cancels jobs of a queue that wait.';

-- At most `p_most` scheduled jobs of a queue from a time on, in microseconds since 1970, in a bounded walk
-- over those of all queues. `scanned_to` is when the next walk begins, and null at the end. One walk reads
-- all jobs of one moment.
create or replace function pgjobq.scheduled_jobs(p_shard smallint, p_queue int, p_from bigint, p_most int,
                                                 out ids uuid[], out scanned_to bigint)
language plpgsql as $$
declare
    c_walk constant int := 20000;
    -- In two steps, because a number of microseconds as a float would be rounded.
    v_from timestamptz := timestamptz 'epoch' + p_from / 1000000 * interval '1 second'
                          + p_from % 1000000 * interval '1 microsecond';
    v_times timestamptz[];
    v_walked bigint;
    v_last timestamptz;
begin
    select coalesce(array_agg(id) filter (where queue_id = p_queue), '{}'),
           array_agg(run_at) filter (where queue_id = p_queue),
           count(*), max(run_at)
      into ids, v_times, v_walked, v_last
      from (select id, queue_id, run_at from pgjobq.jobs
             where shard = p_shard and run_at is not null and waits_for = 0 and run_at >= v_from
             order by run_at fetch first c_walk rows with ties) walk;
    if cardinality(ids) > p_most then
        ids := ids[1:p_most];
        scanned_to := (extract(epoch from v_times[p_most]) * 1000000)::bigint;
    elsif v_walked >= c_walk then
        scanned_to := (extract(epoch from v_last) * 1000000)::bigint + 1;
    end if;
end $$;

comment on function pgjobq.scheduled_jobs is 'Internal. Finds scheduled jobs of a queue.';
