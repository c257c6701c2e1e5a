-- The end of a job, or that there is no such job.

-- The latest end of a job with this id; or that none is known.
create or replace function pgjobq.explain_end(p_shard smallint, p_job uuid)
returns table (code text, sentence text, details jsonb) language plpgsql stable as $$
#variable_conflict use_column
declare
    v_end pgjobq.finished;
    v_when text;
    v_workflow text;
begin
    select f.* into v_end from pgjobq.finished f
     where f.shard = p_shard and f.id = p_job order by f.finished_at desc limit 1;
    if v_end.id is null then
        v_workflow := (select name from pgjobq.workflows where shard = p_shard and id = p_job);
        code := case when v_workflow is null then 'not_found' else 'workflow' end;
        sentence := case when v_workflow is null then
                'There is no job with this id. The transaction that enqueued it has not committed, or was '
                'rolled back; or the job has ended, and is no longer kept.'
            else format('This is the id of the workflow `%s`, and not of a job: ask about one of its steps.',
                        v_workflow) end;
        details := case when v_workflow is not null then jsonb_build_object('name', v_workflow) end;
        return next;
        return;
    end if;
    v_when := format('%s (%s ago)', pgjobq.moment(v_end.finished_at),
                     pgjobq.span(clock_timestamp() - v_end.finished_at));
    code := v_end.outcome;
    details := jsonb_build_object('at', pgjobq.micros(v_end.finished_at), 'attempts', v_end.attempt);
    case v_end.outcome
        when 'completed' then
            sentence := format('It completed at %s, after %s.', v_when,
                               pgjobq.counted(v_end.attempt, 'attempt'));
        when 'expired' then
            sentence := format('It expired at %s, because no worker had started it in time.', v_when);
        when 'cancelled' then
            sentence := format('It was cancelled at %s by %s (role `%s`)%s.', v_when,
                               coalesce(v_end.cancelled->>'by', 'somebody'), v_end.cancelled->>'role',
                               coalesce(': ' || (v_end.cancelled->>'reason'), ''));
            details := details || jsonb_build_object('by', v_end.cancelled->>'by',
                                                     'role', v_end.cancelled->>'role',
                                                     'reason', v_end.cancelled->>'reason');
        else
            select s.sentence, explain_end.details || s.details into sentence, details
              from pgjobq.explain_death(v_end, v_when) s;
    end case;
    return next;
end $$;

comment on function pgjobq.explain_end is 'Internal. Explains how a job ended.';

-- The death of a job: how often it failed and crashed, and its last error.
create or replace function pgjobq.explain_death(
    p_end pgjobq.finished, p_when text, out sentence text, out details jsonb)
language plpgsql stable as $$
declare
    v_last jsonb := p_end.errors -> -1;
    v_error text := left(v_last->>'message', 1000);
begin
    sentence := format('It died at %s, in attempt %s. It had failed %s (`retries` is %s), and crashed %s '
                       '(`max_crashes` is %s).%s', p_when, p_end.attempt,
                       pgjobq.counted(p_end.failures, 'time'), p_end.retries,
                       pgjobq.counted(p_end.crashes, 'time'), p_end.max_crashes,
                       coalesce(' Its last error (' || (v_last->>'reason') || '): ' || v_error, ''));
    details := jsonb_build_object('failures', p_end.failures, 'crashes', p_end.crashes,
                                  'reason', v_last->>'reason', 'error', v_error);
end $$;

comment on function pgjobq.explain_death is 'Internal. Explains why a job died.';
