-- Claim: ready -> running. No job's row is written: one lease row covers the whole batch.

-- Claims at most `p_want` jobs of the kinds in `p_kinds`: the highest priority first, and the lowest ticket
-- first among equals. The worker makes `p_lease` at random, and remembers it before it sends the call.
--
-- Arrays by priority have four elements, of which the first is for priority 0.
--   p_scan_hint   where the worker believes that the ready jobs begin
--   p_found       tickets that a peek found, with `p_found_priority`; they are claimed, and no line is walked
--   p_bytes       the claim ends when its arguments reach this size; the first job is always taken
--   p_scarce      kinds of which it takes at most `p_scarce_want` jobs in all
--   p_bare        the arguments are null; `read_args` reads them
--   p_filter      the jobs that the worker accepts; null if all. Others it passes over
--
-- Returns a row for each job, and one without a job, with
--   scanned_to    the ticket up to which each line was walked, and at most the last ticket drawn; with
--                 `p_found`, the scan hint; null if the queue is paused
--   opened        false if another session holds the lane, or the queue is paused; then it takes nothing
--   more          true if jobs were left because of `p_bytes` or `p_scarce`; they are above `scanned_to`
--   limits        4 if a rate may have held back some of them: `starts.next_at` has the next look's time
--
-- It commits without waiting for the disk, unless one of its jobs must not run twice, or is counted for a
-- rate: a crash of the database that loses the claim only redelivers its jobs.
--
-- The order of the steps is the protocol: lock the lane; then, in a later snapshot, read the leases, and take
-- jobs that no lease covers. Mostly one statement does all that. If a bound may cut the batch (large
-- arguments, which PostgreSQL stores outside of the row; scarce kinds; rates), it takes nothing and returns
-- no row, and `claim_within_bounds` looks at one job after the other.
create or replace function pgjobq.claim(
    p_shard smallint, p_queue int, p_worker bigint, p_lease bigint, p_wait boolean, p_kinds text[],
    p_want int, p_scan_hint bigint[], p_found bigint[], p_found_priority smallint[],
    p_bytes bigint default 8388608, p_scarce text[] default '{}', p_scarce_want int default 0,
    p_bare boolean default false, p_filter pgjobq.job_filter default null)
returns setof pgjobq.claimed_job language plpgsql set lock_timeout = '1s' as $$
declare
    v_rows int := p_want + 5000;    -- how many rows of a line it walks at most, under the lock
    v_drawn bigint := coalesce(pg_sequence_last_value('pgjobq.ticket'), 0);
    v_lane pgjobq.opened_lane;
    v_summary pgjobq.claimed_job;
begin
    if p_filter.path is not null then
        v_rows := p_want + pgjobq.rows_to_walk(5000, p_filter);
        p_filter := pgjobq.with_queue(p_filter, p_queue);
    end if;
    v_lane := pgjobq.open_lane(p_shard, p_queue, p_worker, p_wait, p_kinds);
    if not v_lane.opened then
        v_summary.scanned_to := case when not v_lane.paused then p_scan_hint end;
        v_summary.opened := false; v_summary.more := false;
        return next v_summary; return;
    end if;
    -- step: lane locked
    return query
    with taken as materialized (
        select * from pgjobq.claimable_jobs(
            p_shard, p_queue, p_scan_hint, p_found, p_found_priority, v_rows,
            v_lane.kinds, v_lane.paused_keys, p_filter, p_bare) limit p_want),
    total as materialized (
        select t.*, case when not is_bounded and not at_most_once
                         then set_config('synchronous_commit', 'off', true) end as commit
          from (select count(*) as jobs, min(priority) as last,
                       coalesce(bool_or(max_crashes = 0), false) as at_most_once,
                       bool_or(pg_column_size(args) > 2000 or kind = any (p_scarce)
                               or limits & 4::smallint > 0) is true as is_bounded
                  from taken) t),
    leased as (
        insert into pgjobq.leases (shard, queue_id, priority, max_ticket, id, worker, tickets)
        select p_shard, p_queue, t.priority, max(t.ticket), p_lease, p_worker,
               pgjobq.ranges_of(array_agg(distinct t.ticket))
          from taken t, total where not total.is_bounded
         group by t.priority returning priority, max_ticket)
    select t.* from taken t, total where not total.is_bounded
    union all
    select null, null, null, null, null, null, null, null, null, null, null, null, null, null,
           pgjobq.walked_to(p_shard, p_queue, p_scan_hint, v_rows, v_drawn, case
               when p_found is not null then 4 when t.jobs = p_want then t.last end, l.max_ticket),
           true, false, null
      from total t left join leased l on l.priority = t.last where not t.is_bounded;
    if not found then
        return query select * from pgjobq.claim_within_bounds(
            p_shard, p_queue, p_worker, p_lease, v_lane.kinds, v_lane.paused_keys, p_filter, p_want,
            p_scan_hint, p_found, p_found_priority, v_rows, v_drawn, p_bytes, p_scarce, p_scarce_want,
            p_bare);
    end if;
    -- step: lease inserted
    if v_lane.marked_in_vain then
        perform pgjobq.unmark_lane(p_shard, p_queue, p_worker, p_lease);
    end if;
end $$;

comment on function pgjobq.claim is 'Internal. Claims ready jobs of one lane.';

-- The tickets of one priority, ascending.
create or replace function pgjobq.tickets_of(p_priority int, p_tickets bigint[], p_priorities smallint[])
returns bigint[] language plpgsql immutable as $$
begin
    return array(select distinct ticket from unnest(p_tickets, p_priorities) t(ticket, priority)
                  where priority = p_priority order by ticket);
end $$;

comment on function pgjobq.tickets_of is 'Internal. Those of some tickets that have one priority.';

-- The parts of a line that a claim looks at, as `ready_jobs` wants them; no row if nothing is there.
create or replace function pgjobq.stretches(
    p_shard smallint, p_queue int, p_priority smallint, p_scan_hint bigint[], p_found bigint[],
    p_found_priority smallint[])
returns table (above bigint[], up_to bigint[]) language sql stable as $$
    select array[j.ticket - 1], '{9223372036854775807}'::bigint[]
      from pgjobq.ready_line(p_shard, p_queue, p_priority, p_scan_hint[p_priority + 1], 1) j
     where p_found is null
    union all
    select array(select ticket - 1 from unnest(f.tickets) ticket), f.tickets
      from (select pgjobq.tickets_of(p_priority, p_found, p_found_priority) as tickets) f
     where p_found is not null and f.tickets <> '{}'
$$;

comment on function pgjobq.stretches is 'Internal. The parts of a line that a claim looks at.';

-- The jobs of all priorities that a worker may claim, in the order in which it claims them. Each line is
-- walked from its scan hint on; or, with `p_found`, only the tickets there are looked at. A line is read when
-- the ones before it are used up, and its leases only if a job waits in it. They are what `leased_tickets`
-- returns, written out, because the planner cannot put a plpgsql call in place. This statement's snapshot has
-- every lease, because the statement begins after the lane was locked.
create or replace function pgjobq.claimable_jobs(
    p_shard smallint, p_queue int, p_scan_hint bigint[], p_found bigint[], p_found_priority smallint[],
    p_rows int, p_kinds text[], p_paused_keys text[], p_filter pgjobq.job_filter, p_bare boolean)
returns setof pgjobq.claimed_job language sql stable as $$
    select p.priority, j.ticket, j.address, j.id, j.kind, case when not p_bare then j.args end, null::text,
           case when not p_bare then j.meta end, j.attempt, j.failures, j.retries, j.max_crashes,
           j.limits, j.key,
           null::bigint[], null::boolean, null::boolean, coalesce(j.due_at, j.created_at)
      from unnest('{3,2,1,0}'::smallint[]) p(priority),
           lateral (select s.above, s.up_to,
                           (select range_agg(l.tickets)
                              from (select tickets from pgjobq.leases l
                                     where l.shard = p_shard and l.queue_id = p_queue
                                       and l.priority = p.priority and l.max_ticket > s.above[1]
                                     order by l.max_ticket offset 0) l) as leased
                      from pgjobq.stretches(
                          p_shard, p_queue, p.priority, p_scan_hint, p_found, p_found_priority) s
                    offset 0) line,
           lateral pgjobq.ready_jobs(
               p_shard, p_queue, p.priority, line.above, line.up_to, p_rows, line.leased, p_kinds,
               p_paused_keys, p_filter) j
$$;

comment on function pgjobq.claimable_jobs is 'Internal. The jobs that a worker may claim, in order.';

-- The multirange of some tickets, which ascend and differ. (Two jobs may have one ticket, if the sequence was
-- set back.)
create or replace function pgjobq.ranges_of(p_tickets bigint[]) returns int8multirange
language plpgsql immutable as $$
declare
    v_last bigint := p_tickets[cardinality(p_tickets)];
begin
    -- Mostly there is no gap. A range for each ticket costs as much as the walk.
    if v_last - p_tickets[1] = cardinality(p_tickets) - 1 then
        return int8multirange(int8range(p_tickets[1], v_last, '[]'));
    end if;
    return (select range_agg(int8range(ticket, ticket, '[]')) from unnest(p_tickets) ticket);
end $$;

comment on function pgjobq.ranges_of is 'Internal. The multirange of some tickets.';

-- The tickets up to which a claim has walked each line. If it ended early, it ended in the line of priority
-- `p_last`, at `p_ticket`, and has not walked those of lower priorities. Where fewer tickets were drawn than
-- a walk has rows, it came to the end of the line, and need not be repeated to find that out.
create or replace function pgjobq.walked_to(
    p_shard smallint, p_queue int, p_scan_hint bigint[], p_rows int, p_drawn bigint, p_last int,
    p_ticket bigint)
returns bigint[] language plpgsql stable as $$
begin
    return array(
        select least(p_drawn, case
                   when n - 1 < p_last then p_scan_hint[n]
                   when n - 1 = p_last then p_ticket
                   when p_drawn - p_scan_hint[n] < p_rows then p_drawn
                   else (select e.ticket
                           from pgjobq.end_of_walk(p_shard, p_queue, n - 1, p_scan_hint[n], p_rows) e) end)
          from generate_series(1, 4) n);
end $$;

comment on function pgjobq.walked_to is 'Internal. The tickets up to which a claim has walked.';

-- The same as the statement of `claim`, for a batch that a bound or a rate may cut. It prints the arguments
-- of one job after the other, and of no job that it leaves. After the first that it leaves it takes none of a
-- lower priority. At the first job under a rate it decides about all that may follow: see `startable`.
create or replace function pgjobq.claim_within_bounds(
    p_shard smallint, p_queue int, p_worker bigint, p_lease bigint, p_kinds text[], p_paused_keys text[],
    p_filter pgjobq.job_filter, p_want int, p_scan_hint bigint[], p_found bigint[],
    p_found_priority smallint[], p_rows int, p_drawn bigint, p_bytes bigint, p_scarce text[],
    p_scarce_want int, p_bare boolean)
returns setof pgjobq.claimed_job language plpgsql as $$
declare
    j pgjobq.claimed_job;
    v_priority smallint;
    v_left bigint;      -- the lowest ticket that it leaves
    v_priorities smallint[] := '{}';
    v_tickets bigint[] := '{}';
    v_at_most_once boolean := false;
    v_most int := p_want;
    v_startable uuid[]; -- null until a job under a rate was met
    v_rated uuid[] := '{}';
begin
    for j in select * from pgjobq.claimable_jobs(
        p_shard, p_queue, p_scan_hint, p_found, p_found_priority, p_rows, p_kinds, p_paused_keys, p_filter,
        p_bare)
    loop
        exit when p_want = 0 or v_left is not null and j.priority < v_priority;
        v_priority := j.priority;
        if j.limits & 4::smallint > 0 and v_startable is null then
            v_startable := pgjobq.startable(p_shard, p_queue, array(
                select id from pgjobq.claimable_jobs(
                    p_shard, p_queue, p_scan_hint, p_found, p_found_priority, p_rows, p_kinds, p_paused_keys,
                    p_filter, true) limit v_most));
        end if;
        if p_bytes <= 0 or (j.kind = any (p_scarce) and p_scarce_want = 0)
           or (j.limits & 4::smallint > 0 and j.id <> all (v_startable))
        then
            v_left := coalesce(v_left, j.ticket);
            exit when p_bytes <= 0;
            continue;
        end if;
        j.args_text := j.args::text;
        j.args := null;
        v_priorities := v_priorities || j.priority;
        v_tickets := v_tickets || j.ticket;
        p_want := p_want - 1;
        p_bytes := p_bytes - coalesce(octet_length(j.args_text), 0);
        p_scarce_want := p_scarce_want - (j.kind = any (p_scarce))::int;
        v_at_most_once := v_at_most_once or j.max_crashes = 0;
        if j.limits & 4::smallint > 0 then
            v_rated := v_rated || j.id;
        end if;
        return next j;
    end loop;
    perform pgjobq.lease_jobs(p_shard, p_queue, p_worker, p_lease, v_priorities, v_tickets, v_rated);
    perform set_config('synchronous_commit', 'off', true) where not v_at_most_once and v_rated = '{}';
    j := null;
    j.scanned_to := pgjobq.walked_to(p_shard, p_queue, p_scan_hint, p_rows, p_drawn, case
        when p_found is not null then 4 when v_left is not null or p_want = 0 then v_priority end,
        coalesce(v_left - 1, v_tickets[cardinality(v_tickets)]));
    j.opened := true;
    j.more := v_left is not null;
    j.limits := case when j.more and v_startable is not null then 4 end;
    return next j;
end $$;

comment on function pgjobq.claim_within_bounds is 'Internal. Claims jobs within bounds.';

-- Leases jobs of a claim. Those under a rate (`p_rated`) are counted at the time that the lease states.
create or replace function pgjobq.lease_jobs(
    p_shard smallint, p_queue int, p_worker bigint, p_lease bigint, p_priorities smallint[],
    p_tickets bigint[], p_rated uuid[])
returns void language plpgsql as $$
declare
    v_now timestamptz := clock_timestamp();
begin
    insert into pgjobq.leases (shard, queue_id, priority, max_ticket, id, worker, claimed_at, tickets)
    select p_shard, p_queue, t.priority, max(t.ticket), p_lease, p_worker, v_now,
           pgjobq.ranges_of(array_agg(distinct t.ticket))
      from unnest(p_priorities, p_tickets) t(priority, ticket) group by t.priority;
    if p_rated <> '{}' then
        perform pgjobq.count_starts(p_shard, p_queue, p_rated, v_now);
    end if;
end $$;

comment on function pgjobq.lease_jobs is 'Internal. Leases jobs of a claim.';
