-- Conflicts: what becomes of the jobs that find no permit, if their kind says more than that they wait, or
-- they say so themselves.

-- Ends waiting jobs of these limits, which the caller has locked. It leaves a limit that still has a permit
-- for them to the next call, and one with a rate if the caller has not given all that it could (`p_more`).
-- `ended` are the jobs that have ended, and `more` is true if others may have to.
create or replace function pgjobq.settle_conflicts(
    p_shard smallint, p_kind text[], p_key text[], p_more boolean, out ended uuid[], out more boolean)
language plpgsql as $$
declare
    v_kinds text[] := array(select distinct kind from unnest(p_kind) kind);
    v_own text[] := array(select kind from unnest(v_kinds) kind where pgjobq.has_own_answers(p_shard, kind));
    v_ended uuid[];
    l record;
begin
    more := false;
    for l in
        select k.kind, u.key, k.answer, pgjobq.concurrency_of('kind', k.kind) as most
          from (select kind, coalesce(c.on_conflict, 'wait') as answer
                  from unnest(v_kinds) kind
                  left join pgjobq.limits c on c.scope = 'kind' and c.name = kind) k,
               lateral (select distinct u.key from unnest(p_kind, p_key) u(kind, key) where u.kind = k.kind) u
         where k.answer <> 'wait' or k.kind = any (v_own)
    loop
        continue when case when pgjobq.rates_of('kind', l.kind) is null
                           then pgjobq.permit_is_free(p_shard, l.kind, l.key, l.most) else p_more end;
        v_ended := pgjobq.settle_conflict(p_shard, l.kind, l.key, l.answer);
        ended := ended || v_ended;
        more := more or v_ended is not null and pgjobq.has_conflict(p_shard, l.kind, l.key) is true;
    end loop;
end $$;

comment on function pgjobq.settle_conflicts is 'Internal. Ends waiting jobs of limits that let none wait.';

-- True if a job that waits under a limit should not: its answer is `drop`, or it came before one whose answer
-- is to cancel it. Or if a job that runs should make room for it. It locks nothing.
create or replace function pgjobq.has_conflict(p_shard smallint, p_kind text, p_key text) returns boolean
language plpgsql as $$
declare
    v_answer text := (select on_conflict from pgjobq.limits where scope = 'kind' and name = p_kind);
begin
    if coalesce(v_answer, 'wait') = 'wait' and not pgjobq.has_own_answers(p_shard, p_kind) then
        return false;
    end if;
    return (select bool_or(w.answer = 'drop')
                   or min(w.arrival) < max(w.arrival) filter (where w.answer like 'cancel%')
                   or (array_agg(w.answer order by w.arrival desc) filter (where w.answer like 'cancel%'))[1]
                      = 'cancel_running' and pgjobq.holder_to_cancel(p_shard, p_kind, p_key) is not null
              from pgjobq.waiting_with_answers(p_shard, p_kind, p_key, v_answer) w);
end $$;

comment on function pgjobq.has_conflict is 'Internal. Whether a job waits that should not.';

-- True if jobs of a kind wait for a permit that have answers of their own.
create or replace function pgjobq.has_own_answers(p_shard smallint, p_kind text) returns boolean
language plpgsql stable as $$
begin
    return exists (select from (
        select kind from pgjobq.jobs
         where shard = p_shard and kind = p_kind
           and case when ticket is not null
                    then coalesce(case when limits & 16::smallint > 0 then key end, '') end is null
           and limits >= 128 and permit is null and ticket is null and run_at is null and waits_for = 0
         order by case when ticket is not null
                       then coalesce(case when limits & 16::smallint > 0 then key end, '') end
         limit 1) j);
end $$;

comment on function pgjobq.has_own_answers is 'Internal. Whether waiting jobs have answers of their own.';

-- Ends waiting jobs of one limit. A job whose answer is `drop` ends. Of the others, the one that came last
-- with the answer `cancel_waiting` or `cancel_running` ends all that came before it; with `cancel_running` it
-- also requests that the oldest job with a permit is cancelled. A job that has run before stays.
create or replace function pgjobq.settle_conflict(p_shard smallint, p_kind text, p_key text, p_answer text)
returns uuid[] language plpgsql as $$
declare
    v_waiting record;
    v_last bigint;
    v_dropped uuid[];
    v_older uuid[];
begin
    v_waiting := pgjobq.latest_waiting(p_shard, p_kind, p_key, p_answer);
    select min(n) into v_last
      from unnest(v_waiting.answers) with ordinality w(answer, n) where answer like 'cancel%';
    if v_waiting.answers[v_last] = 'cancel_running' then
        perform pgjobq.cancel_oldest_holder(p_shard, p_kind, p_key, v_waiting.ids[v_last]);
    end if;
    select array_agg(id) filter (where answer = 'drop'),
           array_agg(id) filter (where answer <> 'drop' and n > v_last)
      into v_dropped, v_older
      from unnest(v_waiting.ids, v_waiting.answers) with ordinality w(id, answer, n);
    if v_dropped is not null then
        perform pgjobq.end_waiting(p_shard, v_dropped, 'cancel', 'its limit',
                                   'no permit was free when it was enqueued');
    end if;
    if v_older is not null then
        perform pgjobq.end_waiting(p_shard, v_older, 'cancel', 'its limit', 'a newer job waits');
    end if;
    return v_dropped || v_older;
end $$;

comment on function pgjobq.settle_conflict is 'Internal. Ends waiting jobs of one limit.';

-- Locks jobs that wait for a permit and have not run, the one that came last first.
create or replace function pgjobq.latest_waiting(
    p_shard smallint, p_kind text, p_key text, p_answer text, out ids uuid[], out answers text[])
language plpgsql as $$
begin
    select array_agg(w.id order by w.arrival desc), array_agg(w.answer order by w.arrival desc)
      into ids, answers
      from pgjobq.waiting_with_answers(p_shard, p_kind, p_key, p_answer) w,
           lateral (select from pgjobq.jobs
                     where shard = p_shard and id = w.id and ticket is null and permit is null
                       for update skip locked offset 0) locked;
end $$;

comment on function pgjobq.latest_waiting is 'Internal. Locks jobs that wait for a permit and have not run.';

-- The jobs that wait for a permit and have not run, of each priority the last thousand. Their answers are
-- their own, or else those of their kind.
create or replace function pgjobq.waiting_with_answers(
    p_shard smallint, p_kind text, p_key text, p_answer text)
returns table (id uuid, arrival bigint, answer text) language plpgsql as $$
begin
    return query
    select w.id, w.arrival,
           case w.own when 64 then 'wait' when 128 then 'drop' when 256 then 'cancel_waiting'
                      when 384 then 'cancel_running' else p_answer end
      from generate_series(0, 3) p(priority),
           lateral (select j.id, j.arrival, j.limits & 448::smallint as own from pgjobq.jobs j
                     where j.shard = p_shard and j.kind = p_kind
                       and coalesce(case when j.limits & 16::smallint > 0 then j.key end, '') = p_key
                       and j.limits & 1::smallint > 0 and j.permit is null and j.ticket is null
                       and j.run_at is null and j.waits_for = 0 and j.priority = p.priority and j.attempt = 0
                     order by j.arrival desc limit 1000) w;
end $$;

comment on function pgjobq.waiting_with_answers is 'Internal. Waiting jobs and their answers.';

-- Requests that the oldest job with a permit is cancelled, unless that was requested before.
create or replace function pgjobq.cancel_oldest_holder(
    p_shard smallint, p_kind text, p_key text, p_for uuid)
returns void language plpgsql as $$
declare
    v_oldest uuid := pgjobq.holder_to_cancel(p_shard, p_kind, p_key);
begin
    if v_oldest is not null then
        perform pgjobq.ask_to_cancel(p_shard, array[v_oldest], 'its limit', 'job ' || p_for || ' is newer');
        perform pg_notify(pgjobq.channel(), 'cancel some');
    end if;
end $$;

comment on function pgjobq.cancel_oldest_holder is
    'Internal. Requests that the oldest job under a limit is cancelled.';

-- The oldest job with a permit; null if it was requested already that it is cancelled.
create or replace function pgjobq.holder_to_cancel(p_shard smallint, p_kind text, p_key text) returns uuid
language plpgsql as $$
declare
    v_oldest uuid;
begin
    v_oldest := (select h.id
                   from (select id, arrival from pgjobq.jobs
                          where shard = p_shard and kind = p_kind
                            and coalesce(case when limits & 16::smallint > 0 then key end, '') = p_key
                            and permit > 0
                          order by permit) h
                  order by h.arrival limit 1);
    return case when not exists (select from pgjobq.cancels where shard = p_shard and job = v_oldest)
                then v_oldest end;
end $$;

comment on function pgjobq.holder_to_cancel is 'Internal. The job that a newer one replaces.';

-- Those of these jobs that a conflict has ended.
create or replace function pgjobq.ended_by_limit(p_shard smallint, p_jobs uuid[]) returns uuid[]
language plpgsql as $$
begin
    return array(
        select d.id from unnest(p_jobs) d(id)
         where not exists (select from pgjobq.job_row(p_shard, d.id) j)
           and exists (select from (select outcome, cancelled from pgjobq.finished
                                     where shard = p_shard and id = d.id order by finished_at desc limit 1) f
                        where f.outcome = 'cancelled' and f.cancelled ->> 'by' = 'its limit'));
end $$;

comment on function pgjobq.ended_by_limit is 'Internal. Those of these jobs that a conflict has ended.';
