-- The wait of a job before a worker may take it: for its parents, for its time, or for a permit.

-- The reasons why a job is not due; and that it has not started in time.
create or replace function pgjobq.explain_wait(p_job pgjobq.jobs)
returns table (code text, sentence text, details jsonb) language plpgsql stable as $$
#variable_conflict use_column
begin
    if p_job.expires_at <= clock_timestamp() then
        code := 'expired';
        sentence := format('It expired at %s, because no worker had started it in time. A worker records '
                           'that within moments.', pgjobq.moment(p_job.expires_at));
        details := jsonb_build_object('at', pgjobq.micros(p_job.expires_at), 'attempts', p_job.attempt);
        return next;
    elsif p_job.waits_for > 0 then
        return query select * from pgjobq.explain_parents(p_job);
    elsif p_job.run_at is not null then
        return query select * from pgjobq.explain_schedule(p_job);
    elsif p_job.ticket is null then
        return query select * from pgjobq.explain_rate(p_job);
        if not found then
            return query select * from pgjobq.explain_limit(p_job);
        end if;
    end if;
end $$;

comment on function pgjobq.explain_wait is 'Internal. Explains why a job is not due.';

-- A scheduled job: until when it waits, and why.
create or replace function pgjobq.explain_schedule(p_job pgjobq.jobs)
returns table (code text, sentence text, details jsonb) language plpgsql stable as $$
#variable_conflict use_column
declare
    v_now timestamptz := clock_timestamp();
    v_failed pgjobq.failures;
    v_why text;
begin
    select f.* into v_failed from pgjobq.failures f
     where f.shard = p_job.shard and f.job = p_job.id and f.attempt = p_job.attempt;
    v_why := case when p_job.attempt = 0 then 'enqueue' when v_failed.attempt is null then 'snooze'
                  else 'retry' end;
    code := case when p_job.run_at > v_now then 'scheduled' else 'due' end;
    details := jsonb_build_object('until', pgjobq.micros(p_job.run_at), 'why', v_why,
                                  'attempts', p_job.attempt, 'failures', p_job.failures,
                                  'retries', p_job.retries, 'error', left(v_failed.message, 1000));
    if code = 'due' then
        sentence := format('It came due at %s (%s ago), and the next look of a worker puts it in line.',
                           pgjobq.moment(p_job.run_at), pgjobq.span(v_now - p_job.run_at));
    else
        sentence := format('It is scheduled until %s (in %s), %s.', pgjobq.moment(p_job.run_at),
            pgjobq.span(p_job.run_at - v_now),
            case v_why when 'enqueue' then 'as its enqueue asked'
                       when 'snooze' then format('as its attempt %s asked', p_job.attempt)
                       else format('and is tried again then after failure %s (`retries` is %s). Attempt %s '
                                   'failed (%s): %s', p_job.failures, p_job.retries, p_job.attempt,
                                   v_failed.reason, left(v_failed.message, 1000)) end);
    end if;
    return next;
end $$;

comment on function pgjobq.explain_schedule is 'Internal. Explains until when a job waits, and why.';
