-- Promotes at most `p_most` scheduled jobs that came due at `p_after` or later: each gets a ticket. `limited`
-- are those that wait for a permit instead; the caller admits them once this has committed.
-- `scanned_to` is the `p_after` of the next call. It is the last job's time if more jobs may be due.
-- Otherwise it is one second ago, because a transaction that commits late may add a job with an earlier time.
-- A sweep (a call without `p_after`) finds the jobs of still later commits. Any other call skips the dead
-- index entries of jobs that were promoted before. `next_due` is the time in microseconds until the next job
-- comes due, and null if none is scheduled.
create or replace function pgjobq.promote(
    p_shard smallint, p_most int, p_after timestamptz default '-infinity',
    out promoted int, out queues int[], out scanned_to timestamptz, out next_due bigint, out limited uuid[])
language plpgsql as $$
declare
    v_now timestamptz := clock_timestamp();
    v_after timestamptz := least(p_after, v_now); -- The clock may have been set back.
    v_jobs uuid[];
    v_places tid[];     -- the ctid of each locked row; no other session can change it
    v_new bigint[];
begin
    -- step: time read
    with due as materialized (
        select id, ctid as place, run_at from pgjobq.jobs
         where shard = p_shard and run_at is not null and waits_for = 0 and run_at >= v_after
           and run_at <= v_now
         order by run_at limit p_most for update skip locked)
    select array_agg(id order by run_at, id), array_agg(place order by run_at, id),
           case when count(*) < p_most then v_now - interval '1 second' else max(run_at) end
      into v_jobs, v_places, scanned_to from due;
    -- step: jobs locked
    promoted := 0;
    if v_jobs is not null then
        v_new := pgjobq.draw_tickets(cardinality(v_jobs));
        with moved as (
            update pgjobq.jobs j
               set ticket = case when pgjobq.may_be_in_line(j.limits, j.permit, j.queue_permit)
                                 then v_new[d.n] end,
                   due_at = j.run_at, run_at = null
              from unnest(v_jobs, v_places) with ordinality d(id, place, n)
             where j.ctid = d.place and j.shard + 0 = p_shard and j.id is not distinct from d.id
            returning j.id, j.queue_id, j.ticket)
        select count(*), array_agg(distinct queue_id) filter (where ticket is not null),
               array_agg(id) filter (where ticket is null)
          into promoted, queues, limited from moved;
    end if;
    next_due := (extract(epoch from (select run_at from pgjobq.jobs
                                          where shard = p_shard and run_at is not null and waits_for = 0
                                            and run_at > v_now
                                          order by run_at limit 1)
                             - clock_timestamp()) * 1000000)::bigint;
end $$;

comment on function pgjobq.promote is 'Internal. Promotes scheduled jobs that have come due.';

-- Finds the shards that have scheduled jobs to promote: one index probe per shard, which starts at its cursor
-- `p_after`. The next round may start at `looked` in the shards that are not `due`. `next_due` is the time in
-- microseconds until the next job of those shards comes due; `promote` returns it for the others.
-- `awaited` are the shards in which a rate may have room again: see `take_awaited`.
create or replace function pgjobq.find_due(
    p_shards smallint[], p_after timestamptz[], out due smallint[], out looked timestamptz,
    out next_due bigint, out awaited smallint[])
language plpgsql as $$
declare
    v_now timestamptz := clock_timestamp();
    v_next timestamptz;
    v_next_look timestamptz;
begin
    looked := v_now - interval '1 second';
    select array_agg(s.shard) filter (where j.run_at <= v_now), min(j.run_at) filter (where j.run_at > v_now)
      into due, v_next
      from unnest(p_shards, p_after) s(shard, after),
           lateral (select run_at from pgjobq.jobs
                     where shard = s.shard and run_at is not null and waits_for = 0
                       and run_at >= least(s.after, v_now)
                     order by run_at limit 1) j;
    select array_agg(s.shard) filter (where r.next_at <= v_now),
           min(r.next_at) filter (where r.next_at > v_now)
      into awaited, v_next_look
      from unnest(p_shards) s(shard),
           lateral (select next_at from pgjobq.starts where shard = s.shard and next_at is not null
                     order by next_at limit 1) r;
    next_due := (extract(epoch from least(v_next, v_next_look) - clock_timestamp()) * 1000000)::bigint;
end $$;

comment on function pgjobq.find_due is 'Internal. Finds the shards that have scheduled jobs to promote.';
