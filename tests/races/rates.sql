-- The stage of rates for the runner, and what must hold after two operations. Two jobs may start in an hour. Jobs 3 and 4 are in line
-- in one queue, 5 and 6 in another: more than there is room for, as after retries.

insert into pgjobq.queues (name) values ('other');
insert into pgjobq.lanes (shard, queue_id, may_be_paused) select 0, id, false from pgjobq.queues where name = 'other';

create function races.queue(p_name text) returns int language plpgsql as $$
begin
    return (select id from pgjobq.queues where name = p_name);
end $$;

create function races.reset_rates(p_has_history boolean) returns void language plpgsql as $$
begin
    perform races.reset(false, '{}', '{}');
    delete from pgjobq.limits;
    delete from pgjobq.starts;
    insert into pgjobq.limits (scope, name, rates) values ('kind', 'kind', '[[2, 3600000000]]');
    perform pgjobq.note_limits();
    insert into pgjobq.starts (shard, scope, name, key) select 0, 'kind', 'kind', '' where p_has_history;
    update pgjobq.jobs
       set limits = 5, arrival = races.number(id), permit = 0, ticket = races.number(id), run_at = null, crashes = 0,
           queue_id = races.queue(case when races.number(id) <= 4 then 'default' else 'other' end)
     where races.number(id) >= 3;
end $$;

create function races.claim_rated(p_queue text, p_lease bigint) returns jsonb language plpgsql as $$
begin
    return jsonb_agg(to_jsonb(c)) from pgjobq.claim(
        0::smallint, races.queue(p_queue), 2, p_lease, true, '{kind}', 2, '{0,0,0,0}', null, null) c;
end $$;

-- The jobs under the rate that have started.
create function races.rated_started() returns int language plpgsql as $$
begin
    return (select count(*) from pgjobq.jobs j where j.limits = 5 and exists (
        select from pgjobq.leases l where l.id <> 11 and l.queue_id = j.queue_id and l.tickets @> j.ticket));
end $$;

create function races.rate_violations() returns text[] language plpgsql as $$
declare
    v_started int := races.rated_started();
    v_counted int := (select coalesce(sum(w), 0) from pgjobq.starts, unnest(weights) w);
begin
    return array(
        select format('%s jobs have started, and 2 may', v_started) where v_started > 2
        union all
        select format('%s starts are counted of %s', v_counted, v_started) where v_counted <> v_started
        union all
        select format('job %s is neither in line nor in the waiting room', races.number(id)) from pgjobq.jobs
         where limits = 5 and (ticket is null) <> (permit is null)
        union all
        select 'nobody looks at the waiting room again'
         where exists (select from pgjobq.jobs where limits = 5 and permit is null)
           and not exists (select from pgjobq.starts where next_at > clock_timestamp()));
end $$;

-- Later claims start as many as there is room for, whatever the first ones left.
create function races.rates_stranded() returns text[] language plpgsql as $$
begin
    perform pgjobq.admit(0::smallint, '{kind}', '{""}', null);
    perform races.claim_rated('default', 31), races.claim_rated('other', 32);
    return array(select format('%s jobs can start, and 2 may', races.rated_started()) where races.rated_started() <> 2);
end $$;
