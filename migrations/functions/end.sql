-- The end of jobs: the only statements that delete a job's row.

-- Locates jobs that have a decision: `n` is the place in the arrays, and `address` that of the row. With
-- `p_only`, those with one of these decisions.
--
-- With `p_address` the answer is what the caller remembers, and no table is read: a row may have moved, and
-- another job's row may be there. Without it each job is probed by its id alone (see `plans.sql`), and left
-- out if it no longer has its ticket; without `p_ticket` it may have any, because the caller has locked it.
--
-- Either way the statement that writes compares id and ticket with those of the row at that address.
create or replace function pgjobq.locate_jobs(
    p_shard smallint, p_address tid[], p_id uuid[], p_ticket bigint[], p_decision text[],
    p_only text[] default null)
returns table (n bigint, address tid, id uuid, ticket bigint) language sql stable as $$
    select d.n, d.address, d.id, d.ticket
      from unnest(p_address, p_id, p_ticket, p_decision) with ordinality d(address, id, ticket, decision, n)
     where p_address is not null
       and d.decision is not null and (p_only is null or d.decision = any (p_only))
    union all
    select d.n, j.address, d.id, j.ticket
      from unnest(p_id, p_ticket, p_decision) with ordinality d(id, ticket, decision, n),
           lateral (select ctid as address, ticket from pgjobq.jobs
                     where shard = p_shard and id = d.id offset 0) j
     where p_address is null
       and d.decision is not null and (p_only is null or d.decision = any (p_only))
       and (p_ticket is null or j.ticket = d.ticket)
    offset 0
$$;

comment on function pgjobq.locate_jobs is 'Internal. Finds the addresses of jobs'' rows.';

-- Deletes completed jobs that are not kept: those with the decision `delete`. Returns their ids. The caller
-- must pass `steps`, those of them that are steps, to `end_steps`; and `places`, the queue of each job that
-- occupied a place in a bounded queue, to `give_room`.
create or replace function pgjobq.delete_jobs(
    p_shard smallint, p_address tid[], p_id uuid[], p_ticket bigint[], p_decision text[], p_output text[],
    out deleted uuid[], out steps jsonb[], out places int[])
language plpgsql as $$
declare
    v_tried uuid[];     -- those that had attempts before
begin
    with gone as (
        delete from pgjobq.jobs j
         using pgjobq.locate_jobs(p_shard, p_address, p_id, p_ticket, p_decision, '{delete}') l
         where j.ctid = l.address
           and j.shard + 0 = p_shard and j.id is not distinct from l.id and j.ticket = l.ticket
        returning l.n, j.id, j.attempt, j.meta, j.limits, j.queue_id)
    select array_agg(id), array_agg(id) filter (where attempt > 0),
           array_agg(pgjobq.completed_step(id, meta, p_output[n]::jsonb)) filter (where meta ? 'workflow'),
           array_agg(queue_id) filter (where limits & 8 > 0)
      into deleted, v_tried, steps, places from gone;
    if v_tried is not null then
        perform pgjobq.forget_failures(p_shard, v_tried);
    end if;
end $$;

comment on function pgjobq.delete_jobs is 'Internal. Deletes completed jobs that are not kept.';

-- Moves jobs from `jobs` to `finished`, and their failed attempts with them: the only place where that
-- happens. Returns their ids, and what `delete_jobs` returns.
--   p_decision   complete, bury, cancel or expire; others are left alone
--   p_ran        the jobs were running: an attempt ends with them, and a cancelled job has cancelled itself
--   p_keep       how long a completed job is kept, in microseconds
--   freed        true if one of them had a permit
--   p_reason     why the last attempt ended; `crash` counts as a crash, `release` as neither, and any other
--                reason as a failure
create or replace function pgjobq.end_jobs(
    p_shard smallint, p_worker_name text, p_ran boolean, p_address tid[], p_id uuid[], p_ticket bigint[],
    p_decision text[], p_keep bigint[] default null, p_output text[] default null,
    p_reason text[] default null, p_message text[] default null, p_by text default null,
    out ended uuid[], out steps jsonb[], out freed boolean, out places int[])
language plpgsql as $$
declare
    v_now timestamptz := clock_timestamp();
    v_keeps bigint[] := array(select distinct keep from unnest(p_keep) keep);
    v_days date[] := array(select pgjobq.drop_day(keep * interval '1 microsecond', v_now)
                             from unnest(v_keeps) keep);
    v_tried uuid[];     -- those that had attempts before
begin
    with deleted as (
        delete from pgjobq.jobs j
         using pgjobq.locate_jobs(p_shard, p_address, p_id, p_ticket, p_decision,
                                  '{complete,bury,cancel,expire}') l
         where j.ctid = l.address
           and j.shard + 0 = p_shard and j.id is not distinct from l.id
           and j.ticket is not distinct from l.ticket
        returning l.n, j.id, j.queue_id, j.priority, j.kind, j.args, j.attributes, j.key, j.meta, j.attempt,
                  j.failures, j.crashes, j.retries, j.max_crashes, j.created_at, j.weight, j.unique_key,
                  j.limits,
                  coalesce(j.permit, j.queue_permit) is not null as had_permit,
                  case p_decision[l.n] when 'complete' then 'completed' when 'bury' then 'dead'
                                       when 'cancel' then 'cancelled' else 'expired' end as outcome),
    kept as (
        insert into pgjobq.finished as f (
            shard, id, outcome, queue_id, priority, kind, args, attributes, key, meta,
            attempt, failures, crashes, retries, max_crashes, created_at, weight, unique_key, output, errors,
            cancelled, drop_on)
        select p_shard, id, outcome, queue_id, priority, kind, args, attributes, key, meta,
               attempt + p_ran::int,
               failures + (coalesce(p_reason[n], 'crash') not in ('crash', 'release'))::int,
               crashes + (coalesce(p_reason[n], '') = 'crash')::int,
               retries, max_crashes, created_at, weight, unique_key, p_output[n]::jsonb,
               case when attempt > 0 or p_reason[n] is not null then pgjobq.errors_of(p_shard, id,
                   case when p_reason[n] is not null then pgjobq.error_entry(
                       attempt + 1, v_now, p_reason[n], p_message[n], p_worker_name) end) end,
               case when outcome = 'cancelled' then
                   pgjobq.cancellation(p_shard, id, created_at, v_now, p_ran, p_by, p_message[n]) end,
               case when outcome = 'completed' and p_keep[n] is not null
                    then v_days[array_position(v_keeps, p_keep[n])]
                    else pgjobq.drop_day(pgjobq.keep_of(queue_id, outcome)) end
          from deleted
        returning case when meta ? 'workflow' then
                      case when outcome = 'completed' then pgjobq.completed_step(id, meta, output)
                           else to_jsonb(f) end end as step)
    select array_agg(id), array_agg(id) filter (where attempt > 0),
           (select array_agg(step) from kept where step is not null), bool_or(had_permit),
           array_agg(queue_id) filter (where limits & 8 > 0)
      into ended, v_tried, steps, freed, places from deleted;
    if v_tried is not null then
        perform pgjobq.forget_failures(p_shard, v_tried);
    end if;
end $$;

comment on function pgjobq.end_jobs is 'Internal. Moves jobs to `finished`.';

-- Ends the running jobs of a batch that have a decision of either kind.
create or replace function pgjobq.end_running(
    p_shard smallint, p_worker_name text, p_address tid[], p_id uuid[], p_ticket bigint[], p_decision text[],
    p_keep bigint[], p_output text[], p_reason text[], p_message text[], out ended uuid[], out steps jsonb[],
    out places int[])
language plpgsql as $$
begin
    if 'delete' = any (p_decision) then
        select d.deleted, d.steps, d.places into ended, steps, places
          from pgjobq.delete_jobs(p_shard, p_address, p_id, p_ticket, p_decision, p_output) d;
    end if;
    if p_decision && '{complete,bury,cancel}' then
        select end_running.ended || e.ended, end_running.steps || e.steps, end_running.places || e.places
          into ended, steps, places
          from pgjobq.end_jobs(p_shard, p_worker_name, true, p_address, p_id, p_ticket, p_decision, p_keep,
                               p_output, p_reason, p_message) e;
    end if;
end $$;

comment on function pgjobq.end_running is 'Internal. Ends the running jobs of a batch.';

-- The values that `end_steps` needs of a step that completed. Of any other step it reads the row of
-- `finished`.
create or replace function pgjobq.completed_step(p_id uuid, p_meta jsonb, p_output jsonb)
returns jsonb language sql stable as $$
    select jsonb_build_object('id', p_id, 'meta', p_meta, 'outcome', 'completed', 'output', p_output)
$$;

comment on function pgjobq.completed_step is 'Internal. Describes the end of a step that completed.';

-- The cancellation of a job, as `finished.cancelled` keeps it: by the job itself if it ran; else by the first
-- who requested it, or by the caller.
create or replace function pgjobq.cancellation(
    p_shard smallint, p_job uuid, p_created_at timestamptz, p_now timestamptz, p_ran boolean, p_by text,
    p_reason text)
returns jsonb language plpgsql stable as $$
declare
    v_request jsonb;
begin
    if not p_ran then
        select jsonb_build_object('by', asked_by, 'role', role, 'reason', reason, 'asked_at', asked_at)
          into v_request
          from pgjobq.cancels where shard = p_shard and job = p_job and created_at = p_created_at
         order by asked_at limit 1;
    end if;
    return coalesce(v_request, jsonb_build_object(
        'by', case when p_ran then 'the job itself' else p_by end, 'role', session_user,
        'reason', p_reason, 'asked_at', p_now));
end $$;

comment on function pgjobq.cancellation is 'Internal. Describes who cancelled a job.';
