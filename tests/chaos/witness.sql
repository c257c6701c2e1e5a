-- Each end of an attempt, and each end of a job without one, as the library has stored it. Observers must have seen the same.

create table stored_ends (
    job uuid not null,
    attempt int not null,
    outcome text not null,
    -- `result`, of an attempt; `crash`, of an attempt whose worker died; or `nothing`, without an attempt.
    after text not null,
    kind text not null,
    is_step boolean not null,
    -- The worker process whose statement stored it; null if it was the test's.
    process int default nullif(current_setting('chaos.process', true), '')::int,
    transaction bigint not null default pg_current_xact_id()::text::bigint
);
create index stored_ends_of_job on stored_ends (job);

-- Some functions of the library look for names in its schema only, and this is called from them.
create function note_ended_attempt() returns trigger language plpgsql as $$
begin
    insert into public.stored_ends (job, attempt, outcome, after, kind, is_step)
    values (new.id, new.attempt,
            case when new.crashes > old.crashes then 'crashed' when new.failures > old.failures then 'retried'
                 when new.run_at is not null then 'snoozed' else 'released' end,
            case when new.crashes > old.crashes then 'crash' else 'result' end,
            new.kind, new.meta ? 'workflow' is true);
    return null;
end $$;

create trigger note_ended_attempt after update of attempt on pgjobq.jobs for each row
    when (new.attempt > old.attempt) execute function note_ended_attempt();

-- A job that is put back, and has a request to cancel, ends in the same transaction: that is one end.
create function note_ended_job() returns trigger language plpgsql as $$
declare
    v_end pgjobq.finished;
begin
    select * into v_end from pgjobq.finished where shard = old.shard and id = old.id;
    update public.stored_ends set outcome = v_end.outcome
     where job = old.id and attempt = v_end.attempt and transaction = pg_current_xact_id()::text::bigint;
    if not found then
        insert into public.stored_ends (job, attempt, outcome, after, kind, is_step)
        values (old.id, v_end.attempt, v_end.outcome,
                case when v_end.crashes > old.crashes then 'crash'
                     when v_end.attempt > old.attempt then 'result' else 'nothing' end,
                old.kind, old.meta ? 'workflow' is true);
    end if;
    return null;
end $$;

create trigger note_ended_job after delete on pgjobq.jobs for each row execute function note_ended_job();
