-- Pauses: no worker starts a job of a paused queue, kind or key. Jobs that run go on.
--
-- A pause is exact: a claim that locks its lane after the commit of the pause takes no such job. The claim
-- reads `pauses` if its lane `may_be_paused`. `pause` sets that in every lane that it concerns, and so waits
-- for the claims that hold one. A new lane has it set. A claim that finds no pause for its lane, and takes
-- jobs, clears it. So a lane that no pause concerns costs nothing.

-- Returns the pauses that concern a queue; null if there are none.
create or replace function pgjobq.pauses_of_queue(p_queue int) returns pgjobq.pauses_of_lane
language plpgsql as $$
declare
    v_pauses pgjobq.pauses_of_lane;
begin
    select bool_or(p.scope = 'queue'), array_agg(p.name) filter (where p.scope = 'kind'),
           array_agg(p.name) filter (where p.scope = 'key')
      into v_pauses
      from pgjobq.pauses p
     where (p.until is null or p.until > clock_timestamp())
       and (p.scope <> 'queue' or p.name = (select q.name from pgjobq.queues q where q.id = p_queue));
    return v_pauses;
end $$;

comment on function pgjobq.pauses_of_queue is 'Internal. Returns the pauses that concern a queue.';

-- Clears the mark of a lane, which the caller has locked, if no pause concerns it and no session makes one
-- just now. Only a claim that took a job does so: claims of an idle worker write nothing.
create or replace function pgjobq.unmark_lane(p_shard smallint, p_queue int, p_worker bigint, p_lease bigint)
returns void language plpgsql as $$
begin
    if not exists (select from (select id from pgjobq.leases
                                 where shard = p_shard and worker >= p_worker and worker <= p_worker
                                 order by worker offset 0) l where id = p_lease)
       or not pg_try_advisory_xact_lock_shared(hashtext('pgjobq.pause')) then
        return;
    end if;
    -- step: no pause is made
    -- One that was made before is committed by now, and the snapshot of this statement has it.
    if (pgjobq.pauses_of_queue(p_queue)).queue is null then
        update pgjobq.lanes set may_be_paused = false where shard = p_shard and queue_id = p_queue;
    end if;
end $$;

comment on function pgjobq.unmark_lane is 'Internal. Clears the mark of a lane that no pause concerns.';

-- Returns the pauses that concern a lane, for a look, which locks nothing.
create or replace function pgjobq.pauses_seen(p_shard smallint, p_queue int) returns pgjobq.pauses_of_lane
language plpgsql stable as $$
begin
    if (select may_be_paused from pgjobq.lanes where shard = p_shard and queue_id = p_queue) then
        return pgjobq.pauses_of_queue(p_queue);
    end if;
    return null;
end $$;

comment on function pgjobq.pauses_seen is 'Internal. Returns the pauses that concern a lane.';

-- Returns those of some kinds that are not paused, in all their versions (see `versioned_kind`).
create or replace function pgjobq.kinds_without(p_kinds text[], p_paused text[]) returns text[]
language plpgsql immutable as $$
begin
    if p_paused is null then
        return p_kinds;
    end if;
    return array(select kind from unnest(p_kinds) kind where split_part(kind, '@', 1) <> all (p_paused));
end $$;

comment on function pgjobq.kinds_without is 'Internal. Those of some kinds that are not paused.';

-- Pauses a queue, a kind or a key, or changes its pause. Once this has committed, no claim takes a job of it.
-- The lanes stay locked until the transaction ends, so it must be the only statement of its transaction.
-- `lanes` are locked in the order in which every transaction locks them. A pause of a kind or key concerns
-- all lanes, because jobs of any queue may have it. Only the owner may write the table, so `role` is true.
create or replace function pgjobq.pause(
    scope text, name text, until timestamptz default null, reason text default null, by text default null)
returns void language plpgsql security definer set lock_timeout = '10s'
    set search_path = pg_catalog, pg_temp as $$
declare
    v_queue int;
    l record;
begin
    perform pgjobq.reject_open_transaction();
    perform pgjobq.check_pause(pause.scope, pause.name, pause.until);
    v_queue := (select q.id from pgjobq.queues q
                 where pause.scope = 'queue' and q.name = pause.name and q.deleted_at is null);
    perform pg_advisory_xact_lock(hashtext('pgjobq.pause'));
    delete from pgjobq.pauses p where p.until <= clock_timestamp();
    perform pgjobq.reject_many_pauses(pause.scope, pause.name);
    insert into pgjobq.pauses as p (scope, name, until, reason, paused_by)
    values (pause.scope, pause.name, pause.until, pause.reason, coalesce(pause.by, session_user))
    on conflict on constraint pauses_pkey do update
       set until = excluded.until, reason = excluded.reason, paused_by = excluded.paused_by,
           role = excluded.role, paused_at = excluded.paused_at;
    -- step: pause recorded
    for l in select shard, queue_id from pgjobq.lanes
              where pause.scope <> 'queue' or queue_id = v_queue order by shard, queue_id
    loop
        update pgjobq.lanes set may_be_paused = true where shard = l.shard and queue_id = l.queue_id;
    end loop;
    -- step: lanes marked
end $$;

comment on function pgjobq.pause is
    'Public. Pauses a queue, a kind or a key (the scope), until a time or until `resume`: no worker starts a '
    'job of it. Jobs that run go on. Call it in a transaction of its own, in one simple query.';

revoke execute on function pgjobq.pause from public;

-- Rejects a pause of what does not exist, or that would be over at once. A kind may be one of a program that
-- has not started yet.
create or replace function pgjobq.check_pause(p_scope text, p_name text, p_until timestamptz) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if (p_scope in ('queue', 'kind', 'key')) is not true then
        raise exception 'a queue, a kind or a key can be paused, not %', quote_nullable(p_scope)
            using errcode = 'invalid_parameter_value', hint = 'Write ''queue'', ''kind'' or ''key'' first.';
    elsif p_scope = 'queue' and not exists (
        select from pgjobq.queues q where q.name = p_name and q.deleted_at is null)
    then
        raise exception 'there is no queue %', quote_nullable(p_name)
            using errcode = 'undefined_object', hint = 'The table pgjobq.queues has their names.';
    elsif (length(p_name) between 1 and 200) is not true then
        raise exception 'a % has 1 to 200 characters, not %', p_scope, coalesce(length(p_name), 0)
            using errcode = 'invalid_parameter_value';
    elsif p_until <= clock_timestamp() then
        raise exception 'a pause until % would be over already', p_until
            using errcode = 'datetime_field_overflow', hint = 'Write a time to come, or none.';
    elsif p_until > clock_timestamp() + interval '100 years' then
        raise exception 'a pause of more than a hundred years: until %', p_until
            using errcode = 'numeric_value_out_of_range',
                hint = 'Leave the time out: then it lasts until somebody resumes it.';
    elsif p_scope = 'kind' and not exists (select from pgjobq.kinds k where k.kind = p_name) then
        raise warning 'no program has recorded the kind %; if one comes, its jobs are paused',
            quote_literal(p_name);
    end if;
end $$;

comment on function pgjobq.check_pause is 'Internal. Rejects a pause of what does not exist.';

-- Rejects a pause of one kind or key too many. A claim compares each job that it walks past with all paused
-- keys, under the lock of its lane, and reads all pauses.
create or replace function pgjobq.reject_many_pauses(p_scope text, p_name text) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    c_most constant int := 200;
begin
    if p_scope <> 'queue'
       and (select count(*) from pgjobq.pauses p where p.scope = p_scope and p.name <> p_name) >= c_most
    then
        raise exception 'the % % cannot be paused, because % others are, and no more can be',
            p_scope, quote_literal(p_name), c_most
            using errcode = 'program_limit_exceeded',
                hint = 'Resume some. Or pause the queue; or give its workers a filter that leaves jobs out.';
    end if;
end $$;

comment on function pgjobq.reject_many_pauses is 'Internal. Rejects a pause of one kind or key too many.';

-- Ends a pause, and notifies the workers. Returns false if there was none.
create or replace function pgjobq.resume(scope text, name text) returns boolean language plpgsql
    security definer set lock_timeout = '10s' set search_path = pg_catalog, pg_temp as $$
declare
    v_until timestamptz;
begin
    perform pgjobq.reject_open_transaction();
    delete from pgjobq.pauses p where p.scope = resume.scope and p.name = resume.name
    returning coalesce(p.until, 'infinity') into v_until;
    if v_until is null then
        return false;
    end if;
    perform pg_notify(pgjobq.channel(), 'resumed some');
    return v_until > clock_timestamp();
end $$;

comment on function pgjobq.resume is
    'Public. Ends the pause of a queue, a kind or a key. Returns false if it was not paused.';

revoke execute on function pgjobq.resume from public;
