-- The quarantine: the separate line of jobs that were running when their worker died.

-- Claims at most `p_want` quarantined jobs. Jobs that can afford another crash run together, so that an
-- innocent crowd returns fast. A job that crashed twice, or whose next crash is its last, has to run alone:
-- it is claimed only with `p_alone`, which states that no quarantined job runs in this worker. So a guilty
-- job takes another quarantined job along once at most.
--   p_from         where the walk begins, for each priority
--   p_alone_first  with `p_alone`: a job that has to run alone goes before the others
--   scanned_to     where the next walk begins; 0 after the end of the line
--   alone          the job has to run alone
--   passed         a job that has to run alone was left for others of no higher priority
-- `read_args` reads the arguments. The steps are those of `claim`.
create or replace function pgjobq.claim_quarantined(
    p_shard smallint, p_queue int, p_worker bigint, p_lease bigint, p_kinds text[], p_want int,
    p_alone boolean, p_from bigint[], p_alone_first boolean default false,
    p_filter pgjobq.job_filter default null,
    out ids uuid[], out kinds text[], out priorities smallint[], out tickets bigint[], out attempts int[],
    out failures smallint[], out retries smallint[], out max_crashes smallint[], out limits smallint[],
    out keys text[], out scanned_to bigint[], out opened boolean, out alone boolean, out passed boolean)
language plpgsql set lock_timeout = '1s' as $$
declare
    v_walk int := 5000;
    v_turns boolean[] := case when not p_alone then '{f}' when p_alone_first then '{t,f}' else '{f,t}' end;
    v_above bigint;
    v_leased int8multirange;
    v_alone boolean;
    v_lane pgjobq.opened_lane;
    r record;
begin
    alone := false; passed := false;
    if p_filter.path is not null then
        -- Four lines are walked, each up to three times, and a condition on columns takes ten times as long.
        v_walk := greatest(pgjobq.rows_to_walk(5000, p_filter) / case when p_filter.needs_columns then 40
                                                                      else 4 end, 10);
        p_filter := pgjobq.with_queue(p_filter, p_queue);
    end if;
    v_lane := pgjobq.open_lane(p_shard, p_queue, p_worker, true, p_kinds);
    opened := v_lane.opened;
    scanned_to := case when v_lane.paused is not true then p_from end;
    if not opened then return; end if;
    for n in reverse 4..1 loop
        -- Mostly the line is empty, and no lease is read. The walk begins at the first job, past the dead
        -- index entries.
        v_above := (select j.ticket - 1 from pgjobq.quarantine_line(p_shard, p_queue, n - 1, p_from[n], 1) j);
        if v_above is null then
            scanned_to[n] := 0;
            continue;
        end if;
        v_leased := pgjobq.leased_tickets(p_shard, p_queue, n - 1, v_above);
        -- step: leases read
        foreach v_alone in array v_turns loop
            select * into r from pgjobq.startable_batch(
                p_shard, p_queue, n - 1, v_above, v_walk, v_leased, v_lane.kinds, v_lane.paused_keys,
                p_filter, v_alone, case when v_alone then 1 else p_want end);
            exit when r.taken > 0;
        end loop;
        alone := r.taken > 0 and v_alone;
        passed := not alone and (passed or exists (select from pgjobq.quarantined_jobs(
            p_shard, p_queue, n - 1, v_above, v_walk, v_leased, v_lane.kinds, v_lane.paused_keys,
            p_filter, true)));
        if r.taken > 0 then
            ids := r.ids; kinds := r.kinds; tickets := r.tickets; attempts := r.attempts; keys := r.keys;
            failures := r.failures; retries := r.retries; max_crashes := r.max_crashes; limits := r.limits;
            priorities := array_fill((n - 1)::smallint, array[r.taken]);
            perform pgjobq.lease_jobs(p_shard, p_queue, p_worker, p_lease, priorities, tickets, r.rated);
            -- step: lease inserted
            return;
        end if;
        scanned_to[n] := pgjobq.end_of_quarantine_walk(p_shard, p_queue, n - 1, v_above, v_walk);
    end loop;
end $$;

comment on function pgjobq.claim_quarantined is 'Internal. Claims quarantined jobs of one lane.';

-- One priority's part of a claim from the quarantine, as arrays.
create or replace function pgjobq.quarantined_batch(
    p_shard smallint, p_queue int, p_priority int, p_above bigint, p_rows int, p_leased int8multirange,
    p_kinds text[], p_paused_keys text[], p_filter pgjobq.job_filter, p_alone boolean, p_want int,
    p_among uuid[] default null)
returns table (
    ids uuid[], kinds text[], tickets bigint[], attempts int[], failures smallint[], retries smallint[],
    max_crashes smallint[], limits smallint[], keys text[], rated uuid[], taken int)
language sql stable as $$
    select array_agg(j.id), array_agg(j.kind), array_agg(j.ticket), array_agg(j.attempt),
           array_agg(j.failures),
           array_agg(j.retries), array_agg(j.max_crashes), array_agg(j.limits), array_agg(j.key),
           coalesce(array_agg(j.id) filter (where j.limits & 4::smallint > 0), '{}'), count(*)::int
      from (select * from pgjobq.quarantined_jobs(p_shard, p_queue, p_priority, p_above, p_rows, p_leased,
                                                  p_kinds, p_paused_keys, p_filter, p_alone)
             where p_among is null or id = any (p_among)
             limit p_want) j
$$;

comment on function pgjobq.quarantined_batch is
    'Internal. One priority''s part of a claim from the quarantine.';

-- The same, of jobs that may start under their rates.
create or replace function pgjobq.startable_batch(
    p_shard smallint, p_queue int, p_priority int, p_above bigint, p_rows int, p_leased int8multirange,
    p_kinds text[], p_paused_keys text[], p_filter pgjobq.job_filter, p_alone boolean, p_want int)
returns table (
    ids uuid[], kinds text[], tickets bigint[], attempts int[], failures smallint[], retries smallint[],
    max_crashes smallint[], limits smallint[], keys text[], rated uuid[], taken int)
language plpgsql as $$
begin
    select b.* into ids, kinds, tickets, attempts, failures, retries, max_crashes, limits, keys, rated, taken
      from pgjobq.quarantined_batch(p_shard, p_queue, p_priority, p_above, p_rows, p_leased, p_kinds,
                                    p_paused_keys, p_filter, p_alone, p_want) b;
    if rated <> '{}' then
        return query select b.* from pgjobq.quarantined_batch(
            p_shard, p_queue, p_priority, p_above, p_rows, p_leased, p_kinds, p_paused_keys, p_filter,
            p_alone, p_want, pgjobq.startable(p_shard, p_queue, ids)) b;
    else
        return next;
    end if;
end $$;

comment on function pgjobq.startable_batch is
    'Internal. One priority''s part of a claim from the quarantine, of jobs that may start.';
