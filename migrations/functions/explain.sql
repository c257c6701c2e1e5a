-- Explains why a job is not running, for people and programs: reasons, each a sentence of its own.

-- Returns the reasons why a job is not running, the most important first; or that it runs, or how it ended.
-- The sentences are for people. Programs read `code` and `details`; times there are microseconds since 1970.
-- Every count is bounded, so that an answer is quick beside millions of jobs. It runs with its owner's
-- rights, because it reads tables that a producer may not read.
create or replace function pgjobq.explain(job uuid)
returns table (code text, sentence text, details jsonb)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    v_shard smallint := (select pgjobq.shard_of(explain.job, shards) from pgjobq.settings);
    v_job pgjobq.jobs;
    v_lease pgjobq.leases;
begin
    select * into v_job from pgjobq.job_row(v_shard, explain.job);
    if v_job.id is null then
        return query select * from pgjobq.explain_duplicate(v_shard, explain.job);
        if not found then
            return query select * from pgjobq.explain_end(v_shard, explain.job);
        end if;
        return;
    end if;
    select l.* into v_lease from pgjobq.leases l
     where l.shard = v_shard and l.queue_id = v_job.queue_id and l.priority = v_job.priority
       and l.max_ticket >= v_job.ticket and l.tickets @> v_job.ticket
     order by l.max_ticket limit 1;
    if v_lease.worker is not null then
        return query select * from pgjobq.explain_attempt(v_job, v_lease);
        return query select * from pgjobq.explain_cancel(v_job, true);
        return query select * from pgjobq.explain_unique(v_job, true);
        return query select * from pgjobq.explain_edit(v_job.meta);
        -- No worker puts the job back in line if no worker is left.
        return query select o.* from pgjobq.obstacles(v_job) o
         where not exists (select from pgjobq.workers where shard = v_shard and id = v_lease.worker);
        return;
    end if;
    return query select * from pgjobq.explain_cancel(v_job, false);
    return query select * from pgjobq.explain_wait(v_job);
    return query select * from pgjobq.obstacles(v_job);
    if not found and pgjobq.is_due(v_job) then
        return query select * from pgjobq.explain_line(v_job);
    end if;
    return query select * from pgjobq.explain_unique(v_job, false);
    return query select * from pgjobq.explain_edit(v_job.meta);
end $$;

comment on function pgjobq.explain is
    'Public. Returns the reasons why a job is not running, the most important first; or that it runs, or how '
    'it ended.';

revoke execute on function pgjobq.explain from public;

-- True if only a worker is missing: the job waits for no parent and no time.
create or replace function pgjobq.is_due(p_job pgjobq.jobs) returns boolean language sql stable as $$
    select p_job.waits_for = 0 and (p_job.ticket is not null or p_job.run_at <= clock_timestamp())
           and (p_job.expires_at is null or p_job.expires_at > clock_timestamp())
$$;

comment on function pgjobq.is_due is 'Internal. Whether a job may start now.';

-- A job that runs: who has it, since when, and whether that worker still sends heartbeats.
create or replace function pgjobq.explain_attempt(p_job pgjobq.jobs, p_lease pgjobq.leases)
returns table (code text, sentence text, details jsonb) language plpgsql stable as $$
#variable_conflict use_column
declare
    v_worker pgjobq.workers;
    v_silent interval;
    v_claimed text := format('attempt %s, claimed at %s (%s ago)', p_job.attempt + 1,
                             pgjobq.moment(p_lease.claimed_at),
                             pgjobq.span(clock_timestamp() - p_lease.claimed_at));
begin
    select * into v_worker from pgjobq.workers where shard = p_lease.shard and id = p_lease.worker;
    v_silent := clock_timestamp() - v_worker.seen_at;
    details := jsonb_build_object(
        'attempt', p_job.attempt + 1, 'since', pgjobq.micros(p_lease.claimed_at), 'worker', v_worker.name,
        'seen_at', pgjobq.micros(v_worker.seen_at));
    if v_worker.id is null then
        code := 'worker_silent';
        sentence := format('It was running (%s), and its worker was given up because it was silent. Other '
                           'workers put it back in line within moments.', v_claimed);
    elsif v_silent > v_worker.lease / 2 then
        code := 'worker_silent';
        sentence := format('It runs in the worker `%s` (%s), which has been silent for %s. Once that is '
                           'longer than its lease of %s, other workers put the job back in line.',
                           v_worker.name, v_claimed, pgjobq.span(v_silent), pgjobq.span(v_worker.lease));
    else
        code := 'running';
        sentence := format('It runs in the worker `%s` (%s), whose last heartbeat came %s ago.',
                           v_worker.name, v_claimed, pgjobq.span(v_silent));
    end if;
    return next;
end $$;

comment on function pgjobq.explain_attempt is 'Internal. Explains a job that runs.';

-- The oldest request to cancel a job, if there is one.
create or replace function pgjobq.explain_cancel(p_job pgjobq.jobs, p_runs boolean)
returns table (code text, sentence text, details jsonb) language plpgsql stable as $$
#variable_conflict use_column
begin
    return query
    select 'cancel_requested',
           format('At %s %s (role `%s`) asked to cancel it%s. %s', pgjobq.moment(c.asked_at), c.asked_by,
                  c.role, coalesce(': ' || c.reason, ''),
                  case when p_runs
                       then 'Its attempt was asked to stop; one that never awaits runs to its end.'
                       else 'A worker ends it within moments.' end),
           jsonb_build_object('by', c.asked_by, 'role', c.role, 'reason', c.reason,
                              'asked_at', pgjobq.micros(c.asked_at))
      from (select * from pgjobq.cancels where shard = p_job.shard and job = p_job.id order by job offset 0) c
     where c.created_at = p_job.created_at
     order by c.asked_at limit 1;
end $$;

comment on function pgjobq.explain_cancel is 'Internal. Explains a request to cancel a job.';
