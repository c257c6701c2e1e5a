-- The stages of unique jobs for the runner, and what must hold after them. All jobs have the unique key `a`, or `b`.

-- What callers have written, and what the jobs that were claimed then saw of it.
create table races.data (side int);
create table races.claimed (id uuid, args jsonb, saw bigint);
-- What each enqueue has answered.
create table races.answers (lasts text, jobs int, inserted int, held int);

--   none      no job
--   waits     job 1 waits
--   runs      job 1 runs under lease 11 of worker 1, which was given up
--   dead      job 1 is dead
--   asked     job 1 waits, and job 5 asks to give it other arguments
--   orphaned  the same, but job 1 is dead
create function races.reset_unique(p_stage text) returns void language plpgsql as $$
begin
    perform races.reset(p_stage = 'runs', '{}', '{}');
    delete from pgjobq.jobs;
    delete from pgjobq.leases;
    delete from pgjobq.failures;
    delete from pgjobq.finished;
    delete from pgjobq.unique_until;
    delete from pgjobq.unique_requests;
    delete from races.data;
    delete from races.claimed;
    delete from races.answers;
    if p_stage = 'none' then
        return;
    end if;
    perform races.enqueue_unique('{1}', '{a}', 'live');
    if p_stage in ('asked', 'orphaned') then
        perform races.enqueue_unique('{5}', '{a}', 'waiting', 'replace');
    end if;
    if p_stage in ('dead', 'orphaned') then
        perform pgjobq.end_jobs(0::smallint, 'worker 1', true, null, array[races.id(1)], null, '{bury}', p_reason => '{error}',
                                p_message => '{failed}');
    elsif p_stage = 'runs' then
        insert into pgjobq.leases (shard, queue_id, priority, max_ticket, id, worker, tickets)
        select 0, queue_id, priority, ticket, 11, 1, int8multirange(int8range(ticket, ticket, '[]')) from pgjobq.jobs;
    end if;
    delete from races.answers;
end $$;

-- Enqueues jobs with these unique keys, in the order of their ids, and notes the answer.
create function races.enqueue_unique(
    p_jobs int[], p_keys text[], p_lasts text, p_answer text default 'keep', p_is_callers boolean default true)
returns jsonb language plpgsql as $$
declare
    a record;
    v_count int := cardinality(p_jobs);
begin
    a := pgjobq.enqueue_many(
        '{kind}', '{default}', '{3}', '{5}', '{3}', array(select races.id(n) from unnest(p_jobs) with ordinality u(n, i) order by i),
        array_fill(1, array[v_count]), array(select format('{"by": %s}', n) from unnest(p_jobs) with ordinality u(n, i) order by i),
        null, null, null, null, null, null, true, case when not p_is_callers then 30000 end, p_unique_key => p_keys,
        p_shape_options => array[jsonb_build_object('unique', p_lasts, 'unique_for', 60000000, 'duplicate', p_answer)::text]);
    insert into races.answers values (
        p_lasts, v_count, a.inserted, (select count(*) from jsonb_array_elements(a.held) h where h->>1 is not null));
    return to_jsonb(a);
end $$;

-- The jobs of a side: it never has those of the other.
create function races.own(p_jobs int[]) returns int[] language plpgsql as $$
begin
    return array(select 16 * current_setting('races.side')::int + n from unnest(p_jobs) n);
end $$;

-- Settles what is asked for, as far as that goes.
create function races.settle_unique() returns jsonb language plpgsql as $$
begin
    return to_jsonb(pgjobq.settle_unique(0::smallint, null, null, 100));
end $$;

-- Claims what waits, under a lease of its own for each side. The jobs start after the commit.
create function races.claim_unique() returns jsonb language plpgsql as $$
begin
    insert into races.claimed (id, args)
    select c.id, c.args::jsonb
      from pgjobq.claim(0::smallint, (select id from pgjobq.queues where name = 'default'), 2,
                        100 + current_setting('races.side')::int, true, '{kind}', 100, '{0,0,0,0}', null, null) c
     where c.id is not null;
    return '{}';
end $$;

create function races.start_claimed() returns void language plpgsql as $$
begin
    update races.claimed set saw = (select count(*) from races.data) where saw is null;
end $$;

-- Ends job 1, which runs.
create function races.finish_unique(p_decision text) returns jsonb language plpgsql as $$
declare
    v_job pgjobq.jobs;
    v_lease pgjobq.leases;
begin
    select * into v_lease from pgjobq.leases where id = 11;
    select * into v_job from pgjobq.jobs where id = races.id(1);
    insert into pgjobq.workers (shard, id, name, lease) values (0, 1, 'worker 1', interval '30 seconds') on conflict do nothing;
    return to_jsonb(pgjobq.finish(
        0::smallint, 1, 'worker 1', array[v_lease.queue_id], array[v_lease.priority], array[v_lease.max_ticket], '{11}', '{true}',
        '{1}', array[v_job.id], array[v_job.ticket], array[p_decision], '{null}', '{null}', '{null}',
        '{error}', '{failed}'));
end $$;

-- What is wrong after two operations.
create function races.unique_violations() returns text[] language plpgsql as $$
declare
    v_written bigint := (select count(*) from races.data);
begin
    perform races.start_claimed();
    for round in 1..5 loop
        exit when not exists (select from pgjobq.unique_requests);
        perform races.settle_unique();
    end loop;
    return array(
        -- At most one job waits that has never run, beside one that a person has put back.
        select format('%s jobs wait with the key %s', count(*), unique_key)
          from pgjobq.jobs j
         where id <> races.id(1) and not pgjobq.is_leased(j) and attempt = 0
         group by unique_key having count(*) > 1
        union all
        select 'two jobs live with one key'
          from pgjobq.jobs where not exists (select from races.answers where lasts <> 'live') and id <> races.id(1)
         group by unique_key having count(*) > 1
        union all
        select format('of %s jobs %s are new and %s are held', jobs, inserted, held)
          from races.answers where jobs <> inserted + coalesce(held, 0)
        union all
        -- What a caller has written is seen by a job that starts afterwards.
        select format('nobody sees what %s callers wrote', v_written)
         where v_written > 0 and exists (select from races.answers where lasts = 'waiting')
           and not exists (select from races.claimed where saw >= v_written)
           and not exists (select from pgjobq.jobs j where not pgjobq.is_leased(j))
        union all
        -- A job that was claimed keeps its arguments.
        select format('job %s was claimed with %s and has %s', races.number(c.id), c.args, j.args)
          from races.claimed c join pgjobq.jobs j on j.id = c.id where j.args <> c.args and pgjobq.is_leased(j)
        union all
        select 'a request is left' from pgjobq.unique_requests
        union all
        select 'a key is locked' from pgjobq.unique_locks);
end $$;

create function races.unique_stranded() returns text[] language plpgsql as $$
declare
    d jsonb := races.drain();
begin
    return case when d->'live' <> d->'claimed'
                     or exists (select from jsonb_each(d) where key in ('unmet', 'stale', 'jobs', 'leases', 'failures', 'cancels')
                                                            and value <> '0')
                then array['something is stranded: ' || d::text] end;
end $$;
