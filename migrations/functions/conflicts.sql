-- Conflicts: what becomes of the jobs that find no permit, if their kind says more than that they wait, or
-- they say so themselves.

-- Ends waiting jobs of these limits, which the caller has locked and whose free permits it has given away.
-- Returns the jobs that have ended.
create or replace function pgjobq.settle_conflicts(p_shard smallint, p_kind text[], p_key text[])
returns uuid[] language plpgsql as $$
declare
    v_kinds text[] := array(select distinct kind from unnest(p_kind) kind);
    v_own text[] := array(select kind from unnest(v_kinds) kind where pgjobq.has_own_answers(p_shard, kind));
    v_ended uuid[];
    l record;
begin
    for l in
        select k.kind, u.key, k.answer
          from (select kind, coalesce(c.on_conflict, 'wait') as answer
                  from unnest(v_kinds) kind
                  left join pgjobq.limits c on c.scope = 'kind' and c.name = kind) k,
               lateral (select distinct u.key from unnest(p_kind, p_key) u(kind, key) where u.kind = k.kind) u
         where k.answer <> 'wait' or k.kind = any (v_own)
    loop
        v_ended := v_ended || pgjobq.settle_conflict(p_shard, l.kind, l.key, l.answer);
    end loop;
    return v_ended;
end $$;

comment on function pgjobq.settle_conflicts is 'Internal. Ends waiting jobs of limits that let none wait.';

-- True if jobs of a kind wait for a permit that have answers of their own.
create or replace function pgjobq.has_own_answers(p_shard smallint, p_kind text) returns boolean
language plpgsql stable as $$
begin
    return exists (select from (select kind from pgjobq.jobs
                                 where shard = p_shard and kind >= p_kind and kind <= p_kind
                                   and limits & 384::smallint > 0 and permit is null and ticket is null
                                   and run_at is null and waits_for = 0
                                 order by shard, kind limit 1) j);
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

-- Locks jobs that wait for a permit and have not run, the one that came last first; at most a thousand. Their
-- answers are their own, or else those of their kind.
create or replace function pgjobq.latest_waiting(
    p_shard smallint, p_kind text, p_key text, p_answer text, out ids uuid[], out answers text[])
language plpgsql as $$
begin
    select array_agg(w.id order by w.arrival desc),
           array_agg(case w.own when 64 then 'wait' when 128 then 'drop' when 256 then 'cancel_waiting'
                                when 384 then 'cancel_running' else p_answer end order by w.arrival desc)
      into ids, answers
      from (select id, arrival, limits & 448::smallint as own from pgjobq.jobs
             where shard = p_shard and kind = p_kind
               and coalesce(case when limits & 16::smallint > 0 then key end, '') = p_key
               and limits & 1::smallint > 0 and permit is null and ticket is null and run_at is null
               and waits_for = 0 and attempt = 0
             order by priority desc, arrival limit 1000 for update skip locked) w;
end $$;

comment on function pgjobq.latest_waiting is 'Internal. Locks jobs that wait for a permit and have not run.';

-- Requests that the oldest job with a permit is cancelled, unless that was requested before.
create or replace function pgjobq.cancel_oldest_holder(
    p_shard smallint, p_kind text, p_key text, p_for uuid)
returns void language plpgsql as $$
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
    if v_oldest is not null and not exists (
        select from pgjobq.cancels where shard = p_shard and job = v_oldest)
    then
        perform pgjobq.ask_to_cancel(p_shard, array[v_oldest], 'its limit', 'job ' || p_for || ' is newer');
        perform pg_notify(pgjobq.channel(), 'cancel some');
    end if;
end $$;

comment on function pgjobq.cancel_oldest_holder is
    'Internal. Requests that the oldest job under a limit is cancelled.';
