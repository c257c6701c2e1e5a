-- Cancels a job, from SQL. The request counts once the transaction has committed. True if the job is live.
create or replace function pgjobq.cancel(job uuid, reason text default null) returns boolean language plpgsql
    set search_path = pg_catalog, pg_temp as $$
declare
    v_asked uuid[];
begin
    v_asked := pgjobq.ask_to_cancel(pgjobq.shard_of(cancel.job, (select shards from pgjobq.settings)),
                                    array[cancel.job], null, cancel.reason);
    if v_asked is null then
        return false;
    end if;
    perform pg_notify(pgjobq.channel(), 'cancel some');
    return true;
end $$;

comment on function pgjobq.cancel is
    'Public. Cancels a job, also inside a transaction: it takes effect after the commit. True if the job is '
    'live.';

-- Requests that jobs are cancelled: adds a row for each that is live and of one of the kinds (null: any), and
-- locks nothing, so that a caller's transaction may do it. The row has the session's role beside the caller's
-- words; only the owner may write that column.
create or replace function pgjobq.ask_to_cancel(
    p_shard smallint, p_jobs uuid[], p_by text, p_reason text, p_kinds text[] default null)
returns uuid[] language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_asked uuid[];
begin
    with asked as (
        insert into pgjobq.cancels (shard, job, created_at, asked_by, role, reason)
        select p_shard, j.id, j.created_at, coalesce(p_by, session_user), session_user, p_reason
          from unnest(p_jobs) d(id),
               lateral pgjobq.job_row(p_shard, d.id) j
         where p_kinds is null or j.kind = any (p_kinds)
        returning job)
    select array_agg(job) into v_asked from asked;
    return v_asked;
end $$;

comment on function pgjobq.ask_to_cancel is 'Internal. Requests that jobs are cancelled.';

revoke execute on function pgjobq.ask_to_cancel from public;

-- Acts on the requests to cancel these jobs, for a role that may not lock a lane itself. The lane stays
-- locked until the transaction ends, and a caller that forgets to commit would stop the queue. So the
-- function rejects a transaction that was open before this message came. That also rejects the extended
-- protocol (prepared statements, parameters), where each message has a time of its own: call it in one simple
-- query.
create or replace function pgjobq.act_on_request(
    p_shard smallint, p_jobs uuid[], out cancelled uuid[], out running uuid[])
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if transaction_timestamp() <> statement_timestamp() then
        raise exception '%', 'this locks a queue until the transaction ends, so it must be called in a '
                             'transaction of its own, in one simple query'
            using errcode = 'active_sql_transaction',
                  hint = 'Inside a transaction, select pgjobq.cancel(id). It takes effect after the commit.';
    end if;
    select a.cancelled, a.running into cancelled, running
      from pgjobq.act_on_cancels(p_shard, p_jobs, null, null) a;
end $$;

comment on function pgjobq.act_on_request is
    'Internal. Acts on requests to cancel, for a role that may not lock a lane.';

revoke execute on function pgjobq.act_on_request from public;

-- Acts on the requests to cancel these jobs. Without `p_jobs` it acts on the next `p_most` requests after
-- `p_after`, which is null at the start; `scanned_to` is the last job that it came to, and null at the end.
-- Jobs that wait are ended. The caller tells `running` ones to stop.
create or replace function pgjobq.act_on_cancels(
    p_shard smallint, p_jobs uuid[], p_after uuid, p_most int, out cancelled uuid[], out running uuid[],
    out scanned_to uuid)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_jobs uuid[] := p_jobs;
begin
    if v_jobs is null then
        v_jobs := array(select job from (select distinct job from (
                            select job from pgjobq.cancels
                             where shard = p_shard
                               and job >= coalesce(p_after, '00000000-0000-0000-0000-000000000000')
                               and (p_after is null or job <> p_after)
                             order by job limit p_most) c) d order by job);
        scanned_to := case when cardinality(v_jobs) > 0 then v_jobs[cardinality(v_jobs)] end;
    end if;
    if cardinality(v_jobs) = 0 then
        return;
    end if;
    -- step: requests read
    select t.waiting, t.running into cancelled, running from pgjobq.take_waiting(p_shard, v_jobs) t;
    -- step: jobs taken
    cancelled := pgjobq.flagged(p_shard, cancelled);
    running := pgjobq.flagged(p_shard, running);
    if cardinality(cancelled) > 0 then
        perform pgjobq.end_waiting(p_shard, cancelled, 'cancel');
    end if;
    perform pgjobq.forget_cancels(p_shard, v_jobs); -- Of those that are gone.
end $$;

comment on function pgjobq.act_on_cancels is 'Internal. Acts on requests to cancel.';

revoke execute on function pgjobq.act_on_cancels from public;

-- Those of some jobs that someone requested to cancel.
create or replace function pgjobq.flagged(p_shard smallint, p_jobs uuid[])
returns uuid[] language plpgsql as $$
begin
    return array(select j.id
                   from unnest(p_jobs) d(id),
                        lateral pgjobq.job_row(p_shard, d.id) j
                  where exists (select 1 from pgjobq.cancels c
                                 where c.shard = p_shard and c.job = j.id and c.created_at = j.created_at));
end $$;

comment on function pgjobq.flagged is 'Internal. Finds those of some jobs that someone requested to cancel.';

-- Ends those of some jobs that someone requested to cancel. The caller has locked them, and they are about to
-- wait again.
create or replace function pgjobq.end_flagged(p_shard smallint, p_jobs uuid[])
returns uuid[] language plpgsql as $$
declare
    v_flagged uuid[] := pgjobq.flagged(p_shard, p_jobs);
begin
    if v_flagged = '{}' then
        return null;
    end if;
    perform pgjobq.end_waiting(p_shard, v_flagged, 'cancel');
    return v_flagged;
end $$;

comment on function pgjobq.end_flagged is
    'Internal. Ends those of some locked jobs that someone requested to cancel.';

-- Deletes requests to cancel these jobs if they have ended. It goes in the order of the id, so that two
-- sessions which delete the same requests cannot wait for each other in a circle.
create or replace function pgjobq.forget_cancels(p_shard smallint, p_jobs uuid[])
returns void language plpgsql as $$
declare
    v_job uuid;
begin
    for v_job in select distinct id from unnest(p_jobs) d(id) order by id loop
        delete from pgjobq.cancels c where c.shard = p_shard and c.job = v_job
           and not exists (select 1 from pgjobq.jobs j
                            where j.shard = p_shard and j.id = v_job and j.created_at = c.created_at);
    end loop;
end $$;

comment on function pgjobq.forget_cancels is 'Internal. Deletes requests to cancel jobs that have ended.';
