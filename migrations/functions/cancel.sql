-- Requests to cancel a job. Takes effect after the transaction commits. Returns false if no live job has this
-- id.
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
    'Public. Requests to cancel a job. Takes effect after the transaction commits. Returns false if no live '
    'job has this id.';

-- Requests to cancel jobs: adds a row for each job that is live and of one of the kinds (null: any). Returns
-- their ids. It locks nothing, so a caller's transaction may call it. `role` is the session user; `asked_by`
-- is what the caller claims. Only the owner may write the table.
create or replace function pgjobq.ask_to_cancel(
    p_shard smallint, p_jobs uuid[], p_by text, p_reason text, p_kinds text[] default null)
returns uuid[] language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_asked uuid[];
begin
    with asked as (
        insert into pgjobq.cancels (shard, job, created_at, asked_by, role, reason)
        select p_shard, j.id, j.created_at, coalesce(left(p_by, 1000), session_user), session_user,
               left(p_reason, 1000)
          from unnest(p_jobs) d(id),
               lateral pgjobq.job_row(p_shard, d.id) j
         where p_kinds is null or j.kind = any (p_kinds)
        returning job)
    select array_agg(job) into v_asked from asked;
    return v_asked;
end $$;

comment on function pgjobq.ask_to_cancel is 'Internal. Requests to cancel jobs.';

revoke execute on function pgjobq.ask_to_cancel from public;

-- Acts on the requests to cancel these jobs, for a role that may not lock a lane itself. The lane stays
-- locked until the transaction ends, and a caller that forgets to commit would stop the queue. So the
-- function rejects a transaction that was open before. Call the function in one simple query.
create or replace function pgjobq.act_on_request(
    p_shard smallint, p_jobs uuid[], out cancelled uuid[], out running uuid[])
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform pgjobq.reject_open_transaction(
        'In a transaction, call pgjobq.cancel(id). It takes effect after the commit.');
    select a.cancelled, a.running into cancelled, running
      from pgjobq.act_on_cancels(p_shard, p_jobs, null, null) a;
end $$;

comment on function pgjobq.act_on_request is
    'Internal. Acts on requests to cancel, for a role that may not lock a lane.';

revoke execute on function pgjobq.act_on_request from public;

-- Acts on the requests for `p_jobs`; if null, on the next `p_most` after the cursor `p_after` (null: from the
-- start). Ends the jobs that wait (`cancelled`). `running`: workers must ask them to stop. `scanned_to`: the
-- next cursor, null at the end.
create or replace function pgjobq.act_on_cancels(
    p_shard smallint, p_jobs uuid[], p_after uuid, p_most int, out cancelled uuid[], out running uuid[],
    out scanned_to uuid)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_jobs uuid[] := p_jobs;
begin
    if v_jobs is null then
        -- After `p_after`; if that is null, from the first id, the nil id included.
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
    perform pgjobq.forget_cancels(p_shard, v_jobs); -- Requests for ended jobs.
end $$;

comment on function pgjobq.act_on_cancels is 'Internal. Acts on requests to cancel.';

revoke execute on function pgjobq.act_on_cancels from public;

-- Returns the jobs of `p_jobs` that have a request to cancel.
create or replace function pgjobq.flagged(p_shard smallint, p_jobs uuid[])
returns uuid[] language plpgsql as $$
begin
    -- With another `created_at` the request is for an earlier job with the same id.
    return array(select j.id
                   from unnest(p_jobs) d(id),
                        lateral pgjobq.job_row(p_shard, d.id) j
                  where exists (select 1 from pgjobq.cancels c
                                 where c.shard = p_shard and c.job = j.id and c.created_at = j.created_at));
end $$;

comment on function pgjobq.flagged is 'Internal. Finds the jobs that have a request to cancel.';

-- Ends the jobs of `p_jobs` that have a request to cancel, and returns them; null if there are none. The
-- caller has locked the jobs, and they are about to wait again.
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
    'Internal. Ends the locked jobs that have a request to cancel.';

-- Deletes requests whose job no longer exists, in id order (no deadlock).
create or replace function pgjobq.forget_cancels(p_shard smallint, p_jobs uuid[])
returns void language plpgsql as $$
declare
    v_job uuid;
begin
    for v_job in select distinct id from unnest(p_jobs) d(id) order by id loop
        delete from pgjobq.cancels c where c.shard = p_shard and c.job = v_job and not c.is_workflow
           and not exists (select 1 from pgjobq.jobs j
                            where j.shard = p_shard and j.id = v_job and j.created_at = c.created_at);
    end loop;
end $$;

comment on function pgjobq.forget_cancels is 'Internal. Deletes requests to cancel jobs that have ended.';
