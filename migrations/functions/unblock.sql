-- Unblocking: a job that waits for nothing any more gets a ticket, or keeps its time.

-- Locks those of some jobs that are blocked, in the order given, which is that of their ids. `places` are
-- theirs in `p_jobs`. It locks no other job: that may be completing in a transaction that stays open.
create or replace function pgjobq.lock_blocked(
    p_shard smallint, p_jobs uuid[], out places int[], out addresses tid[], out waits int[])
language plpgsql as $$
begin
    select array_agg(d.i), array_agg(j.address), array_agg(j.waits_for) into places, addresses, waits
      from unnest(p_jobs) with ordinality d(id, i),
           lateral (select ctid as address, waits_for from pgjobq.jobs
                     where shard = p_shard and id = d.id and waits_for + 0 > 0 for update offset 0) j;
end $$;

comment on function pgjobq.lock_blocked is 'Internal. Locks the jobs that are blocked.';

-- Writes how many parents blocked steps still wait for (`p_left`), in rows that the caller has locked. A step
-- that waits for none gets its arguments. A step with `p_fatal` is cancelled, because that parent did not end
-- as it demands; so is a step whose arguments cannot be completed.
--
-- A transaction completes 8 MiB of arguments, and those of one step at least. Any other step waits for one
-- thing more, which is its own row in `unsettled`. `p_job` is in order; null or empty arrays do nothing.
create or replace function pgjobq.unblock_steps(
    p_shard smallint, p_job uuid[], p_workflow uuid[], p_n int[], p_address tid[], p_left int[],
    p_fatal int[], out queues int[])
language plpgsql as $$
declare
    c_bytes constant int := 8388608;
    v_bytes bigint := 0;
    v_args jsonb[] := array_fill(null::jsonb, array[coalesce(cardinality(p_job), 0)]);
    v_reasons text[] := array_fill(null::text, array[coalesce(cardinality(p_job), 0)]);
    v_filled int[] := '{}';     -- by their place
    v_later int[] := '{}';
    v_workflow uuid; v_inputs jsonb; v_given jsonb; v_is_shared boolean; v_reason text;
    r record;
begin
    for r in
        select d.i::int, d.workflow, s.inputs, j.args
          from unnest(p_job, p_workflow, p_n, p_left, p_fatal) with ordinality
                   d(job, workflow, n, waits, fatal, i),
               lateral (select inputs from pgjobq.steps
                         where shard = p_shard and workflow = d.workflow and n = d.n offset 0) s,
               lateral pgjobq.job_row(p_shard, d.job) j
         where d.waits = 0 and d.fatal is null and s.inputs is not null
    loop
        if v_bytes >= c_bytes then
            p_left[r.i] := 1;
            v_later := v_later || r.i;
            continue;
        end if;
        -- Many children of one parent have the same inputs.
        if (v_is_shared and v_inputs = r.inputs and v_workflow = r.workflow) is not true then
            v_workflow := r.workflow;
            v_inputs := r.inputs;
            select f.given, f.is_shared, f.reason into v_given, v_is_shared, v_reason
              from pgjobq.fill_args(p_shard, r.workflow, r.args, r.inputs) f;
        end if;
        v_args[r.i] := r.args || v_given;
        v_reasons[r.i] := v_reason;
        v_bytes := v_bytes + coalesce(pg_column_size(v_given), 0);
        v_filled := case when v_reason is null then v_filled || r.i else v_filled end;
    end loop;
    perform pgjobq.cancel_children(p_shard, p_job, p_workflow, p_fatal, v_reasons);
    queues := pgjobq.unblock_jobs(p_shard, p_job, p_address, p_left, v_args);
    insert into pgjobq.unsettled (shard, workflow, n)
    select p_shard, p_workflow[i], p_n[i] from unnest(v_later) i
    on conflict (shard, workflow, n, is_ended) do nothing;
    if v_filled <> '{}' then
        perform pgjobq.release_outputs(p_shard, array(select p_workflow[i] from unnest(v_filled) i),
                                       array(select p_n[i] from unnest(v_filled) i));
    end if;
end $$;

comment on function pgjobq.unblock_steps is 'Internal. Writes how many parents steps still wait for.';

-- Writes how many parents blocked jobs still wait for, in rows that the caller has locked, and with `p_args`
-- new arguments. A job that waits for none gets a ticket, or waits for a permit; or it keeps the time at
-- which it comes due, or its delay begins. Returns the queues of these jobs, and 0 if one has a time. A row
-- that is gone is left out.
create or replace function pgjobq.unblock_jobs(
    p_shard smallint, p_job uuid[], p_address tid[], p_left int[], p_args jsonb[] default null)
returns int[] language plpgsql as $$
declare
    v_now timestamptz := clock_timestamp();
    v_tickets bigint[] := pgjobq.draw_tickets(cardinality(p_job));
    v_queues int[]; v_limited uuid[];
begin
    with unblocked as (
        update pgjobq.jobs j
           set waits_for = l.waits, args = coalesce(l.args, j.args),
               due_at = case when l.waits = 0 then v_now end,
               ticket = case when l.waits = 0 and (j.meta ? 'delay' or j.run_at > v_now) is not true
                              and pgjobq.may_be_in_line(j.limits, j.permit, j.queue_permit)
                             then l.ticket end,
               run_at = case when l.waits = 0 and j.meta ? 'delay'
                             then v_now + pgjobq.delay_of(j.meta)
                             when l.waits > 0 or j.run_at > v_now then j.run_at end
          from unnest(p_job, p_address, p_left, p_args, v_tickets) l(id, address, waits, args, ticket)
         where j.ctid = l.address and j.shard + 0 = p_shard and j.id is not distinct from l.id
        returning j.id, j.queue_id, j.ticket, j.waits_for, j.run_at)
    select array_agg(distinct case when ticket is not null then queue_id else 0 end)
               filter (where ticket is not null or run_at is not null),
           array_agg(id) filter (where ticket is null and run_at is null)
      into v_queues, v_limited
      from unblocked where waits_for = 0;
    perform pgjobq.announce_limited(v_limited) where v_limited is not null;
    return v_queues;
end $$;

comment on function pgjobq.unblock_jobs is 'Internal. Makes jobs ready that wait for no parent any more.';

-- The delay of a job that was enqueued blocked. A `meta` that was written by hand may be anything, and fails
-- nothing for other jobs: it is no delay if it cannot be read, and none is above a hundred years.
create or replace function pgjobq.delay_of(p_meta jsonb) returns interval
language plpgsql immutable as $$
begin
    return case when p_meta->>'delay' ~ '^[0-9]{1,18}$'
                then least((p_meta->>'delay')::bigint, 3162240000000000) else 0 end
           * interval '1 microsecond';
end $$;

comment on function pgjobq.delay_of is 'Internal. The delay of a job that was enqueued blocked.';

-- Cancels the blocked steps that have a reason, or a parent whose end was fatal to them. Their own edges
-- are settled by a later transaction, so that none grows with the graph.
create or replace function pgjobq.cancel_children(
    p_shard smallint, p_job uuid[], p_workflow uuid[], p_fatal int[], p_reasons text[])
returns void language plpgsql as $$
declare
    v_jobs uuid[];
    v_reasons text[];
begin
    select array_agg(c.job), array_agg(coalesce(c.reason, format(
               'its parent `%s` (%s) is %s%s', coalesce(s.name, s.kind), s.job, s.outcome,
               coalesce(': ' || left(coalesce(s.failed->'errors'->-1->>'message',
                                              s.failed->'cancelled'->>'reason'), 1000), ''))))
      into v_jobs, v_reasons
      from unnest(p_job, p_workflow, p_fatal, p_reasons) c(job, workflow, fatal, reason)
           left join lateral (select name, kind, job, outcome, failed from pgjobq.steps
                               where shard = p_shard and workflow = c.workflow and n = c.fatal offset 0) s
                  on true
     where c.fatal is not null or c.reason is not null;
    if v_jobs is not null then
        perform pgjobq.end_waiting(p_shard, v_jobs, 'cancel', 'its workflow', p_reasons => v_reasons);
    end if;
end $$;

comment on function pgjobq.cancel_children is
    'Internal. Cancels steps whose parents did not end as they demand.';
