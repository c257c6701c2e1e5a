-- The two lines of a queue: of its ready jobs, and of its quarantined jobs. Every function that walks a line
-- uses these functions. They are SQL, so that the planner puts their text in place of the call;
-- each has an index of its own.

-- The ready jobs of one priority, in the order of their tickets: the first `p_rows` rows above `p_above` and
-- up to `p_up_to`.
create or replace function pgjobq.ready_line(
    p_shard smallint, p_queue int, p_priority int, p_above bigint, p_rows int,
    p_up_to bigint default 9223372036854775807)
returns setof pgjobq.job_in_line language sql stable as $$
    select ctid, id, ticket, kind, args, meta, attempt, failures, crashes, retries, max_crashes, created_at,
           expires_at, key, attributes, limits, due_at
      from pgjobq.jobs
     where shard = p_shard and queue_id = p_queue and priority = p_priority
       and ticket is not null and crashes = 0 and ticket > p_above and ticket <= p_up_to
     order by ticket limit p_rows
$$;

comment on function pgjobq.ready_line is 'Internal. The ready jobs of one priority, in order.';

-- The quarantined jobs of one priority, in the order of their tickets: the first `p_rows` rows above
-- `p_above`.
create or replace function pgjobq.quarantine_line(
    p_shard smallint, p_queue int, p_priority int, p_above bigint, p_rows int)
returns setof pgjobq.job_in_line language sql stable as $$
    select ctid, id, ticket, kind, args, meta, attempt, failures, crashes, retries, max_crashes, created_at,
           expires_at, key, attributes, limits, due_at
      from pgjobq.jobs
     where shard = p_shard and queue_id = p_queue and priority = p_priority
       and ticket is not null and crashes > 0 and ticket > p_above
     order by ticket limit p_rows
$$;

comment on function pgjobq.quarantine_line is 'Internal. The quarantined jobs of one priority, in order.';

-- The jobs of the ready line that a worker may claim: not covered by `p_leased`, of a kind in `p_kinds` (as
-- `versioned_kind` names it), with no key in `p_paused_keys`, matched by `p_filter`, and not expired. It
-- looks through the tickets above `p_above[i]` and up to `p_up_to[i]`, range after range, and at `p_rows`
-- rows of each at most. A walk is one long range; a ticket that a peek found is a range of its own. Ranges
-- ascend, and so do the tickets.
--
-- The conditions stand outside of the bounded walk, so that a million rows which are not for this worker do
-- not hold the lane.
create or replace function pgjobq.ready_jobs(
    p_shard smallint, p_queue int, p_priority int, p_above bigint[], p_up_to bigint[], p_rows int,
    p_leased int8multirange, p_kinds text[], p_paused_keys text[], p_filter pgjobq.job_filter)
returns setof pgjobq.job_in_line language sql stable as $$
    select j.*
      from (select unnest(p_above) as above, unnest(p_up_to) as up_to) range,
           lateral pgjobq.ready_line(p_shard, p_queue, p_priority, range.above, p_rows, range.up_to) j
     where (p_leased is null or not p_leased @> j.ticket)
       and pgjobq.versioned_kind(j.kind, j.meta) = any (p_kinds)
       and (j.key = any (p_paused_keys)) is not true
       and (j.expires_at is null or j.expires_at > clock_timestamp())
       and pgjobq.accepts(p_filter, j.attributes, j.id, j.kind, j.key, p_priority, j.attempt, j.created_at)
$$;

comment on function pgjobq.ready_jobs is 'Internal. The ready jobs that a worker may claim.';

-- The same of the quarantine, which is walked above `p_above`. A job that crashed twice, or whose next crash
-- is its last, has to run alone: with `p_alone` these jobs, without it the others, and both if it is null.
create or replace function pgjobq.quarantined_jobs(
    p_shard smallint, p_queue int, p_priority int, p_above bigint, p_rows int, p_leased int8multirange,
    p_kinds text[], p_paused_keys text[], p_filter pgjobq.job_filter, p_alone boolean)
returns setof pgjobq.job_in_line language sql stable as $$
    select j.*
      from pgjobq.quarantine_line(p_shard, p_queue, p_priority, p_above, p_rows) j
     where (p_leased is null or not p_leased @> j.ticket)
       and pgjobq.versioned_kind(j.kind, j.meta) = any (p_kinds)
       and (j.key = any (p_paused_keys)) is not true
       and (j.expires_at is null or j.expires_at > clock_timestamp())
       and pgjobq.accepts(p_filter, j.attributes, j.id, j.kind, j.key, p_priority, j.attempt, j.created_at)
       and (p_alone is null or p_alone = (j.crashes > 1 or j.max_crashes <= j.crashes))
$$;

comment on function pgjobq.quarantined_jobs is 'Internal. The quarantined jobs that a worker may claim.';

-- The ticket at which a walk of `p_rows` rows through the ready line ends; no row if the line ends before.
create or replace function pgjobq.end_of_walk(
    p_shard smallint, p_queue int, p_priority int, p_above bigint, p_rows int,
    p_up_to bigint default 9223372036854775807)
returns table (ticket bigint) language sql stable as $$
    select j.ticket from pgjobq.ready_line(p_shard, p_queue, p_priority, p_above, p_rows, p_up_to) j
    offset p_rows - 1
$$;

comment on function pgjobq.end_of_walk is 'Internal. Where a walk through the ready line ends.';

-- The same of the quarantine; 0 if the line ends before, so that the next walk begins at its start.
create or replace function pgjobq.end_of_quarantine_walk(
    p_shard smallint, p_queue int, p_priority int, p_above bigint, p_rows int)
returns bigint language plpgsql as $$
begin
    return coalesce((select j.ticket from pgjobq.quarantine_line(p_shard, p_queue, p_priority, p_above,
                                                                 p_rows) j
                     offset p_rows - 1), 0);
end $$;

comment on function pgjobq.end_of_quarantine_walk is 'Internal. Where a walk through the quarantine ends.';

-- The row of a job, found by its primary key alone (see `plans.sql`); no row if the job has ended.
create or replace function pgjobq.job_row(p_shard smallint, p_id uuid)
returns setof pgjobq.jobs language sql stable as $$
    select * from pgjobq.jobs where shard = p_shard and id = p_id offset 0
$$;

comment on function pgjobq.job_row is 'Internal. The row of a job.';
