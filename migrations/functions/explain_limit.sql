-- The wait of a job for a permit: of its kind, or else of its queue.

-- Explains which limit keeps a job in the waiting room, and which jobs have the permits.
create or replace function pgjobq.explain_limit(p_job pgjobq.jobs)
returns table (code text, sentence text, details jsonb) language plpgsql stable as $$
#variable_conflict use_column
declare
    v_of_kind boolean := p_job.limits & 1::smallint > 0 and p_job.permit is null;
    v_key text := nullif(pgjobq.permit_key(p_job.limits, p_job.key), '');
    v_name text := case when v_of_kind then p_job.kind
                        else (select name from pgjobq.queues where id = p_job.queue_id) end;
    v_most int := pgjobq.concurrency_of(case when v_of_kind then 'kind' else 'queue' end, v_name);
    v_holders uuid[] := pgjobq.holders_of_permits(p_job, v_of_kind);
    v_behind bigint := pgjobq.waiting_before(p_job, v_of_kind);
begin
    code := 'limited';
    sentence := format('It waits for %s of its %s `%s`%s. %s. %s.',
        case when v_most is null then 'the rate' else 'a permit' end,
        case when v_of_kind then 'kind' else 'queue' end, v_name,
        case when v_of_kind and v_key is not null then format(' for the key `%s`', v_key) else '' end,
        case when v_most is null or cardinality(v_holders) < least(v_most, 100)
             then format('%s, and the next look of a worker lets a job in',
                         case when v_most is null then 'It has room' else 'One is free' end)
             else format('The limit is %s, and these jobs are in line or run: %s', v_most,
                         pgjobq.listed(v_holders::text[])) end,
        case when v_behind = 0 then 'It is next'
             when v_behind > 10000 then 'More than 10000 jobs wait before it'
             when v_behind = 1 then 'One job waits before it'
             else v_behind || ' jobs wait before it' end);
    details := jsonb_build_object(
        'scope', case when v_of_kind then 'kind' else 'queue' end, 'name', v_name,
        'key', case when v_of_kind then v_key end, 'limit', v_most, 'holders', to_jsonb(v_holders[:10]),
        'behind', v_behind);
    return next;
end $$;

comment on function pgjobq.explain_limit is 'Internal. Explains which limit a job waits for.';

-- The jobs that have permits under the limit of a job's kind, or of its queue: the first hundred.
create or replace function pgjobq.holders_of_permits(p_job pgjobq.jobs, p_of_kind boolean) returns uuid[]
language plpgsql stable as $$
begin
    if p_of_kind then
        return array(select id from pgjobq.jobs
                      where shard = p_job.shard and kind = p_job.kind
                        and coalesce(case when limits & 16::smallint > 0 then key end, '')
                            = pgjobq.permit_key(p_job.limits, p_job.key)
                        and permit > 0
                      order by permit limit 100);
    end if;
    return array(select id from pgjobq.jobs
                  where shard = p_job.shard and queue_id = p_job.queue_id and queue_permit > 0
                  order by queue_permit limit 100);
end $$;

comment on function pgjobq.holders_of_permits is 'Internal. The jobs that have permits under a limit.';

-- The number of jobs that wait for a permit before this one, counted up to 10001.
create or replace function pgjobq.waiting_before(p_job pgjobq.jobs, p_of_kind boolean) returns bigint
language plpgsql stable as $$
declare
    c_most constant int := 10001;
begin
    if p_of_kind then
        return (select count(*)
                  from (select from pgjobq.jobs
                         where shard = p_job.shard and kind = p_job.kind
                           and coalesce(case when limits & 16::smallint > 0 then key end, '')
                               = pgjobq.permit_key(p_job.limits, p_job.key)
                           and limits & 1::smallint > 0 and permit is null and ticket is null
                           and run_at is null and waits_for = 0
                           and (-priority, arrival) < (-p_job.priority, p_job.arrival)
                         order by priority desc, arrival limit c_most) w);
    end if;
    return (select count(*)
              from (select from pgjobq.jobs
                     where shard = p_job.shard and queue_id = p_job.queue_id
                       and limits & 2::smallint > 0 and queue_permit is null and ticket is null
                       and run_at is null and waits_for = 0
                       and (limits & 1::smallint = 0 or permit is not null)
                       and (-priority, arrival) < (-p_job.priority, p_job.arrival)
                     order by priority desc, arrival limit c_most) w);
end $$;

comment on function pgjobq.waiting_before is 'Internal. Counts the jobs that wait for a permit before one.';
