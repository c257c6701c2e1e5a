-- The effect of each action on a batch of jobs.

-- Does what the action says to these jobs, which are of one shard, and match, or did a moment ago.
-- `left_out` counts those that it leaves as they are, by reason. `again` are to be visited once more.
create or replace function pgjobq.apply_action(
    a pgjobq.actions, p_shard smallint, p_jobs uuid[], out changed int, out left_out jsonb, out queues int[],
    out cancelled uuid[], out running uuid[], out again uuid[])
language plpgsql as $$
declare
    s pgjobq.selection := a.selection;
begin
    left_out := '{}';
    again := '{}';
    changed := 0;
    if p_jobs = '{}' then
        return;
    elsif a.action = 'cancel' then
        select c.cancelled, c.running into cancelled, running
          from pgjobq.cancel_for(a, p_shard, pgjobq.still_live(s, p_shard, p_jobs)) c;
        changed := cardinality(cancelled) + cardinality(running);
    elsif a.action = 'requeue' then
        select r.changed, r.left_out, r.queues into changed, left_out, queues
          from pgjobq.requeue_for(a, p_shard, pgjobq.still_ended(s, p_shard, p_jobs)) r;
    elsif a.action = 'delete' then
        changed := pgjobq.delete_ended(s, p_shard, p_jobs);
    else
        select c.changed, c.left_out, c.queues, c.again into changed, left_out, queues, again
          from pgjobq.change_for(a, p_shard, pgjobq.still_live(s, p_shard, p_jobs)) c;
    end if;
    left_out := left_out || jsonb_build_object('gone', cardinality(p_jobs) - changed - cardinality(again) - (
        select coalesce(sum(value::int), 0) from jsonb_each_text(left_out)));
end $$;

comment on function pgjobq.apply_action is 'Internal. Does what an action says to a batch of jobs.';

-- Cancels jobs: those that wait end, and of those that run the workers must be told. The requests are those
-- of the person who asked for the action.
create or replace function pgjobq.cancel_for(
    a pgjobq.actions, p_shard smallint, p_jobs uuid[], out cancelled uuid[], out running uuid[])
language plpgsql as $$
begin
    insert into pgjobq.cancels (shard, job, created_at, asked_at, asked_by, role, reason)
    select p_shard, j.id, j.created_at, a.created_at, a.asked_by, a.role, a.reason
      from unnest(p_jobs) d(id), lateral pgjobq.job_row(p_shard, d.id) j
     where j.created_at <= (a.selection).before;
    select coalesce(c.cancelled, '{}'), coalesce(c.running, '{}') into cancelled, running
      from pgjobq.act_on_cancels(p_shard, p_jobs, null, null) c;
end $$;

comment on function pgjobq.cancel_for is 'Internal. Cancels a batch of jobs for an action.';

-- Puts ended jobs back in line.
create or replace function pgjobq.requeue_for(
    a pgjobq.actions, p_shard smallint, p_jobs uuid[], out changed int, out left_out jsonb, out queues int[])
language plpgsql as $$
declare
    v_steps uuid[];
    v_live int;
    v_full int;
    r record;
begin
    v_steps := array(select d.id
                       from unnest(p_jobs) d(id)
                      where exists (select from pgjobq.finished f
                                     where f.shard = p_shard and f.id = d.id and f.meta ? 'workflow'));
    select r0.requeued, r0.live, r0.queues, r0."full" into r
      from pgjobq.requeue_jobs(
               p_shard, array(select id from unnest(p_jobs) d(id) where id <> all (v_steps)),
               null, null, null, null, null, p_before => (a.selection).before) r0;
    changed := coalesce(cardinality(r.requeued), 0);
    queues := array(select distinct q from unnest(r.queues) q);
    v_live := coalesce(cardinality(r.live), 0);
    v_full := coalesce(cardinality(r."full"), 0);
    left_out := jsonb_build_object(
        'step', cardinality(v_steps), 'live', v_live, 'full', v_full,
        'queue_deleted', cardinality(p_jobs) - cardinality(v_steps) - v_live - v_full - changed);
end $$;

comment on function pgjobq.requeue_for is 'Internal. Puts a batch of jobs back in line for an action.';

-- Deletes the ends of these jobs that match.
create or replace function pgjobq.delete_ended(s pgjobq.selection, p_shard smallint, p_jobs uuid[])
returns int language plpgsql as $$
declare
    v_id uuid;
    v_count int := 0;
    r record;
    v_ended_at timestamptz;     -- the latest bad end
begin
    for v_id in select distinct id from unnest(p_jobs) d(id) order by id loop
        with gone as (
            delete from pgjobq.finished w
             where w.shard = p_shard and w.id = v_id and pgjobq.ended_matches(
                       s, w.created_at, w.finished_at, w.attributes, w.id, w.kind, w.queue_id, w.key,
                       w.outcome, w.priority, w.attempt, w.errors)
            returning finished_at, outcome)
        select count(*) > 0 as found, max(finished_at) filter (where outcome <> 'completed') as bad
          into r from gone;
        v_count := v_count + r.found::int;
        v_ended_at := greatest(v_ended_at, r.bad);
    end loop;
    perform pgjobq.note_lost_ends(p_shard, v_ended_at);
    return v_count;
end $$;

comment on function pgjobq.delete_ended is 'Internal. Deletes ended jobs that match.';

-- Changes jobs that wait. Those whose rows other sessions hold are `again`, and at the second visit `locked`.
create or replace function pgjobq.change_for(
    a pgjobq.actions, p_shard smallint, p_jobs uuid[], out changed int, out left_out jsonb, out queues int[],
    out again uuid[])
language plpgsql as $$
declare
    c record;
begin
    again := '{}';
    if a.queue_id is not null
       and not exists (select from pgjobq.queues where id = a.queue_id and deleted_at is null) then
        changed := 0;
        left_out := jsonb_build_object('queue_deleted', cardinality(p_jobs));
        return;
    end if;
    select * into c
      from pgjobq.change_waiting(p_shard, p_jobs, a.priority, a.queue_id, case a.action
               when 'retry_now' then '-infinity' else a.run_at end);
    changed := cardinality(c.changed);
    queues := c.queues;
    if a.again = '{}' then
        again := c.busy;
    end if;
    left_out := jsonb_build_object('running', cardinality(c.running), 'same', cardinality(c.same),
                                   'late', cardinality(c.late), 'full', cardinality(c."full"),
                                   'locked', cardinality(c.busy) - cardinality(again));
end $$;

comment on function pgjobq.change_for is 'Internal. Changes a batch of waiting jobs for an action.';

-- Adds up counts by name, and leaves out those that are 0.
create or replace function pgjobq.add_counts(p_to jsonb, p_more jsonb) returns jsonb
language plpgsql immutable as $$
begin
    return (select coalesce(jsonb_object_agg(key, n), '{}')
              from (select key, sum(value::bigint) as n
                      from (select * from jsonb_each_text(p_to)
                            union all
                            select * from jsonb_each_text(p_more)) e group by key) c
             where n <> 0);
end $$;

comment on function pgjobq.add_counts is 'Internal. Adds up counts by name.';
