-- The stages of actions on many jobs for the runner, and what must hold after them. It is the stage of `bench.sql`, with one
-- action that has begun nothing yet. Of the jobs, 1 and 2 run, 3 and 4 wait, 5 is quarantined, 6 is due, and 9 is dead.

create function races.reset_action(p_action text) returns void language plpgsql as $$
declare
    v_lists text[] := case when p_action in ('requeue', 'delete') then '{dead}' else '{live}' end;
begin
    perform races.reset(false, '{}', '{}');
    delete from pgjobq.actions;
    perform pgjobq.create_queue('other');
    perform pgjobq.start_action(
        p_action, 'all', row(v_lists, '1 == 1', false, false, false, false, null, null, null, now() + interval '1 day')::pgjobq.selection, null,
        null, 'somebody', null, (select id from pgjobq.queues where name = 'other' and p_action = 'move_to'),
        case when p_action = 'set_priority' then 2 end::smallint,
        case when p_action = 'run_at' then now() - interval '1 minute' end);
    update pgjobq.actions set next_at = now() - interval '1 day';
end $$;

-- Does the next batch, whenever it is due.
create function races.act() returns jsonb language plpgsql as $$
begin
    return to_jsonb(pgjobq.act(null));
end $$;

-- What is wrong after an action and another operation.
create function races.action_violations() returns text[] language plpgsql as $$
declare
    a pgjobq.actions;
begin
    select * into a from pgjobq.actions;
    return array(
        -- A job is in one place, once.
        select format('job %s has %s rows', n, rows)
          from (select n, (select count(*) from pgjobq.jobs where id = races.id(n))
                          + (select count(*) from pgjobq.finished where id = races.id(n)) as rows
                  from unnest('{1,2,3,4,5,6,9}'::int[]) n) r
         where rows <> 1 and not (n = 9 and rows = 0 and a.action in ('requeue', 'delete'))
        union all
        -- A job that was claimed is as its lease says.
        select format('ticket %s of lease %s is nobody''s', t, l.id)
          from pgjobq.leases l, unnest(l.tickets) r, generate_series(lower(r), upper(r) - 1) t
         where not exists (select from pgjobq.jobs j
                            where j.ticket = t and j.queue_id = l.queue_id and j.priority = l.priority)
        union all
        select format('two jobs have ticket %s', ticket)
          from pgjobq.jobs where ticket is not null group by ticket having count(*) > 1
        union all
        -- It has reached each job at most once, and accounts for each.
        select format('%s jobs matched, %s changed, left %s', a.matched, a.changed, a.left_out)
         where a.matched > case when a.action in ('requeue', 'delete') then 1 else 7 end
            or a.matched <> a.changed + (select coalesce(sum(value::int), 0) from jsonb_each_text(a.left_out))
        union all
        select 'it has not ended' where a.ended_at is null and not exists (select races.act()));
end $$;

-- After what `races.drain` does, every live job has run once more, and no row is left.
create function races.action_stranded() returns text[] language plpgsql as $$
declare
    d jsonb := races.drain();
begin
    return case when d->'live' <> d->'claimed'
                     or exists (select from jsonb_each(d) where key in ('unmet', 'stale', 'jobs', 'leases', 'failures', 'cancels')
                                                            and value <> '0')
                then array['something is stranded: ' || d::text] end;
end $$;
