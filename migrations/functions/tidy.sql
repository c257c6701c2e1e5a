-- Tidying up: bounds the tables that the end of a job does not empty. Every worker does it once a minute, for
-- all.

-- Deletes hints that are out of date: processes that no longer wait, rates of queues that no worker serves,
-- the progress of attempts that are over (it may have been reported just after the end), and notes of lost
-- ends before the latest one.
create or replace function pgjobq.tidy_hints(p_shard smallint, p_now timestamptz default clock_timestamp())
returns void language plpgsql as $$
begin
    delete from pgjobq.room_waiters
     where shard = p_shard and until not between p_now - interval '1 minute' and p_now + interval '1 minute';
    delete from pgjobq.waiters where shard = p_shard and until < p_now - interval '1 minute';
    delete from pgjobq.rates where shard = p_shard and at < p_now - interval '10 minutes';
    delete from pgjobq.progress p
     where p.shard = p_shard and p.said_at < p_now - interval '1 minute'
       and not exists (select 1 from pgjobq.jobs where shard = p_shard and id = p.job and ticket = p.ticket);
    delete from pgjobq.lost_ends
     where shard = p_shard and ended_at < (select max(ended_at) from pgjobq.lost_ends where shard = p_shard);
end $$;

comment on function pgjobq.tidy_hints is 'Internal. Deletes hints that are out of date.';

-- Deletes failed attempts of jobs that are gone, because a person deleted them. It looks at the next `p_most`
-- attempts after the job `p_after`, and returns the last job that it came to, or null at the end.
create or replace function pgjobq.tidy_failures(p_shard smallint, p_after uuid, p_most int)
returns uuid language plpgsql as $$
declare
    v_jobs uuid[] := array(select job from pgjobq.failures where shard = p_shard and job > p_after
                            order by job limit p_most);
    v_job uuid;
begin
    for v_job in select distinct id from unnest(v_jobs) d(id) loop
        delete from pgjobq.failures f
         where f.shard = p_shard and f.job = v_job
           and not exists (select 1 from pgjobq.jobs j where j.shard = p_shard and j.id = v_job);
    end loop;
    return v_jobs[p_most];
end $$;

comment on function pgjobq.tidy_failures is 'Internal. Deletes failed attempts of jobs that are gone.';
