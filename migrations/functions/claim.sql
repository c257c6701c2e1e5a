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
--   addresses     where the rows are stored, for the finish: nothing in a job's row changes while it runs
--   scanned_to    the ticket up to which each line was walked, and at most the last ticket drawn; with
--                 `p_found`, the scan hint
--   opened        false if another session holds the lane
--   more          true if jobs were left because of `p_bytes` or `p_scarce`; they are above `scanned_to`
--
-- It commits without waiting for the disk, unless one of its jobs must not run twice: a crash of the database
-- that loses the claim only redelivers its jobs.
--
-- The order of the steps is the protocol: lock the lane, then read the leases, then take jobs that no lease
-- covers.
create or replace function pgjobq.claim(
    p_shard smallint, p_queue int, p_worker bigint, p_lease bigint, p_wait boolean, p_kinds text[],
    p_want int, p_scan_hint bigint[], p_found bigint[], p_found_priority smallint[],
    p_bytes bigint default 8388608, p_scarce text[] default '{}', p_scarce_want int default 0,
    p_bare boolean default false,
    out addresses tid[], out ids uuid[], out kinds text[], out args text[], out priorities smallint[],
    out tickets bigint[], out attempts int[], out failures smallint[], out retries smallint[],
    out max_crashes smallint[], out metas text[], out scanned_to bigint[], out opened boolean,
    out more boolean)
language plpgsql set lock_timeout = '1s' as $$
declare
    c_walk constant int := 5000;    -- how many rows that are not for this worker it may pass under the lock
    v_drawn bigint := coalesce(pg_sequence_last_value('pgjobq.ticket'), 0);
    v_above bigint[];
    v_up_to bigint[] := '{9223372036854775807}';
    v_leased int8multirange;
    b pgjobq.batch;
begin
    scanned_to := pgjobq.capped(p_scan_hint, v_drawn); more := false;
    opened := pgjobq.open_lane(p_shard, p_queue, p_worker, p_wait);
    if not opened then return; end if;
    -- step: lane locked
    for n in reverse 4..1 loop
        if p_found is null then     -- Mostly the line is empty, and no lease is read.
            v_above := array(select ticket - 1
                               from pgjobq.ready_line(p_shard, p_queue, n - 1, p_scan_hint[n], 1));
            scanned_to[n] := v_drawn;
        else
            v_up_to := pgjobq.tickets_of(n - 1, p_found, p_found_priority);
            v_above := array(select ticket - 1 from unnest(v_up_to) ticket);
        end if;
        continue when v_above = '{}';
        v_leased := pgjobq.leased_tickets(p_shard, p_queue, n - 1, v_above[1]);
        -- step: leases read
        select * into b from pgjobq.claimed_batch(
            p_shard, p_queue, n - 1, v_above, v_up_to, p_want + c_walk, v_leased, p_kinds, p_want, p_bare);
        if (not p_bare and array_position(b.args, null) is not null) or b.kinds && p_scarce then
            b := pgjobq.trim_batch(p_shard, p_bare, p_bytes, p_scarce, p_scarce_want, b);
            more := b.dropped is not null;
        end if;
        if p_found is null then
            scanned_to[n] := least(v_drawn, case
                when more then b.dropped - 1 when b.taken = p_want then b.max_ticket
                else (select ticket
                        from pgjobq.end_of_walk(p_shard, p_queue, n - 1, v_above[1], p_want + c_walk)) end);
        end if;
        if b.taken > 0 then
            insert into pgjobq.leases (shard, queue_id, priority, max_ticket, id, worker, tickets)
            values (p_shard, p_queue, n - 1, b.max_ticket, p_lease, p_worker, b.covered);
            -- step: lease inserted
            addresses := addresses || b.addresses; ids := ids || b.ids; kinds := kinds || b.kinds;
            args := args || b.args; metas := metas || b.metas;
            priorities := priorities || array_fill((n - 1)::smallint, array[b.taken]);
            tickets := tickets || b.tickets; attempts := attempts || b.attempts;
            failures := failures || b.failures; retries := retries || b.retries;
            max_crashes := max_crashes || b.max_crashes; p_scarce_want := p_scarce_want - b.scarce;
            p_want := p_want - b.taken; p_bytes := p_bytes - b.bytes;
        end if;
        exit when p_want = 0 or more;
    end loop;
    perform set_config('synchronous_commit', 'off', true) where (0 = any (max_crashes)) is not true;
end $$;

comment on function pgjobq.claim is 'Internal. Claims ready jobs of one lane.';

-- One priority's part of a claim: the first `p_want` of the jobs that it may take. `covered` are their
-- tickets. Large arguments are null: `trim_batch` prints them one at a time, and fills `scarce`, `bytes` and
-- `dropped`.
create or replace function pgjobq.claimed_batch(
    p_shard smallint, p_queue int, p_priority int, p_above bigint[], p_up_to bigint[], p_rows int,
    p_leased int8multirange, p_kinds text[], p_want int, p_bare boolean)
returns setof pgjobq.batch language sql stable as $$
    select array_agg(j.address), array_agg(j.id), array_agg(j.kind),
           -- PostgreSQL stores larger ones outside of the row.
           array_agg(case when pg_column_size(j.args) <= 2000 and not p_bare then j.args::text end),
           array_agg(case when not p_bare then j.meta::text end),
           array_agg(j.ticket), array_agg(j.attempt), array_agg(j.failures), array_agg(j.retries),
           array_agg(j.max_crashes),
           range_agg(int8range(j.ticket, j.ticket, '[]')), max(j.ticket), count(*)::int,
           0, 0::bigint, null::bigint
      from (select * from pgjobq.ready_jobs(
                p_shard, p_queue, p_priority, p_above, p_up_to, p_rows, p_leased, p_kinds)
             limit p_want) j
$$;

comment on function pgjobq.claimed_batch is 'Internal. One priority''s part of a claim.';

-- Cuts a batch: after the job with whose arguments, as text, `p_bytes` are reached, and to `p_scarce_want`
-- jobs of the kinds in `p_scarce`. It prints the arguments that are still null, one job at a time, so that no
-- job is printed in vain. `scarce` and `bytes` are how much of both it took; `dropped` is the lowest ticket
-- that it left, or null.
create or replace function pgjobq.trim_batch(
    p_shard smallint, p_bare boolean, p_bytes bigint, p_scarce text[], p_scarce_want int, b pgjobq.batch)
returns pgjobq.batch language plpgsql as $$
declare
    v_taken int[] := '{}';
    -- An assignment to an element of `b.args`, or one with a query on its right side, copies the whole array.
    v_args text[] := b.args;
    v_text text;
begin
    for i in 1..cardinality(b.ids) loop
        if b.bytes >= p_bytes or (b.kinds[i] = any (p_scarce) and b.scarce >= p_scarce_want) then
            b.dropped := least(b.dropped, b.tickets[i]);
            exit when b.bytes >= p_bytes;
            continue;
        end if;
        if v_args[i] is null and not p_bare then
            select j.args::text into v_text from pgjobq.jobs j where j.shard = p_shard and j.id = b.ids[i];
            v_args[i] := v_text;
        end if;
        v_taken := v_taken || i;
        b.scarce := b.scarce + (b.kinds[i] = any (p_scarce))::int;
        b.bytes := b.bytes + coalesce(octet_length(v_args[i]), 0);
    end loop;
    b.args := v_args;
    if cardinality(v_taken) < b.taken then
        b.addresses := pgjobq.picked(b.addresses, v_taken); b.ids := pgjobq.picked(b.ids, v_taken);
        b.kinds := pgjobq.picked(b.kinds, v_taken);
        b.args := pgjobq.picked(b.args, v_taken); b.metas := pgjobq.picked(b.metas, v_taken);
        b.tickets := pgjobq.picked(b.tickets, v_taken); b.attempts := pgjobq.picked(b.attempts, v_taken);
        b.failures := pgjobq.picked(b.failures, v_taken); b.retries := pgjobq.picked(b.retries, v_taken);
        b.max_crashes := pgjobq.picked(b.max_crashes, v_taken);
        select range_agg(int8range(t, t, '[]')), max(t), count(*) into b.covered, b.max_ticket, b.taken
          from unnest(b.tickets) t;
    end if;
    return b;
end $$;

comment on function pgjobq.trim_batch is 'Internal. Cuts a batch to the bounds of its claim.';

-- The elements at these places.
create or replace function pgjobq.picked(p_array anyarray, p_places int[]) returns anyarray
language plpgsql immutable as $$
begin
    return array(select p_array[place] from unnest(p_places) place);
end $$;

comment on function pgjobq.picked is 'Internal. The elements of an array at some places.';

-- The tickets of one priority, ascending.
create or replace function pgjobq.tickets_of(p_priority int, p_tickets bigint[], p_priorities smallint[])
returns bigint[] language plpgsql immutable as $$
begin
    return array(select distinct ticket from unnest(p_tickets, p_priorities) t(ticket, priority)
                  where priority = p_priority order by ticket);
end $$;

comment on function pgjobq.tickets_of is 'Internal. Those of some tickets that have one priority.';

-- Four numbers by priority, none of them above `p_most`.
create or replace function pgjobq.capped(p_numbers bigint[], p_most bigint) returns bigint[]
language sql immutable as $$
    select array[least(p_numbers[1], p_most), least(p_numbers[2], p_most), least(p_numbers[3], p_most),
                 least(p_numbers[4], p_most)]
$$;

comment on function pgjobq.capped is 'Internal. Four numbers by priority, none above a bound.';
