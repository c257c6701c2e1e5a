-- The unique key of a job: that it has one, or which job has it instead.

-- Says which unique key a live job has, and how long another one is a duplicate. A job that is unique only
-- while it waits has none once it runs.
create or replace function pgjobq.explain_unique(p_job pgjobq.jobs, p_runs boolean)
returns table (code text, sentence text, details jsonb) language plpgsql stable as $$
#variable_conflict use_column
declare
    v_until timestamptz := (select u.until
                              from (select job, until from pgjobq.unique_until
                                     where shard = p_job.shard and kind = p_job.kind
                                       and unique_key = p_job.unique_key offset 0) u
                             where u.job = p_job.id and u.until > clock_timestamp());
begin
    if p_job.unique_key is null or p_runs and p_job.unique_slot is null and v_until is null then
        return;
    end if;
    code := 'has_unique_key';
    sentence := format('It has the unique key `%s`: a new job of the kind `%s` with that key is a '
                       'duplicate, %s.', p_job.unique_key, p_job.kind,
                       case when v_until is not null then 'until ' || pgjobq.moment(v_until)
                            when p_job.unique_slot = 0 then 'until this one has ended'
                            else 'at least while this one waits' end);
    details := jsonb_build_object('key', p_job.unique_key, 'until', pgjobq.micros(v_until));
    return next;
end $$;

comment on function pgjobq.explain_unique is 'Internal. Explains which unique key a job has.';

-- A job that was not enqueued, because another one has its unique key, as long as it is not settled what
-- becomes of it.
create or replace function pgjobq.explain_duplicate(p_shard smallint, p_job uuid)
returns table (code text, sentence text, details jsonb) language plpgsql stable as $$
#variable_conflict use_column
declare
    v_request pgjobq.unique_requests;
    v_key text;
    v_full text;    -- the queue, if it is full
begin
    select r.* into v_request from pgjobq.unique_requests r where r.shard = p_shard and r.id = p_job;
    if v_request.id is null then
        return;
    end if;
    v_key := v_request.job ->> 'unique_key';
    v_full := (select name from pgjobq.queues
                where id = (v_request.job ->> 'queue_id')::int and is_bounded
                  and pgjobq.free_places(id, 1) = 0);
    code := 'duplicate';
    sentence := case when v_request.holder is null
        then format('It is not enqueued: its transaction could not see whether another job has its unique '
                    'key `%s`. A worker finds out within moments.', v_key)
        else format('It is not enqueued: job %s has its unique key `%s`. Within moments a worker %s, or '
                    'enqueues this one after all if that one has started or ended.', v_request.holder, v_key,
                    case when v_request.answer = 'keep' then 'forgets this one'
                         else 'changes that one as this one asks' end) end
        || coalesce(' Its queue `' || v_full || '` is full: it is not enqueued before there is room.', '');
    details := jsonb_build_object('key', v_key, 'holder', v_request.holder, 'full', v_full is not null);
    return next;
end $$;

comment on function pgjobq.explain_duplicate is 'Internal. Explains a job whose unique key another one has.';
