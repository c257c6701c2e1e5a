-- The place of a job that any worker may take: in quarantine, behind other jobs, behind slots that are taken.

-- Explains why a job that is in line has not been taken yet. A job that came due and has no ticket yet is in
-- no line: `explain_wait` has said so.
create or replace function pgjobq.explain_line(p_job pgjobq.jobs)
returns table (code text, sentence text, details jsonb) language plpgsql stable as $$
#variable_conflict use_column
declare
    v_queue text := (select name from pgjobq.queues where id = p_job.queue_id);
    s record;
begin
    if p_job.ticket is null then
        return;
    end if;
    s := pgjobq.slots_for(p_job, v_queue);
    if s.free = 0 and s.slots > 0 then
        code := 'busy';
        sentence := format('%s of %s that can run it %s taken, the last one since %s (%s ago).',
            case when s.slots = 1 then 'The only slot' else 'All ' || s.slots || ' slots' end,
            case when s.seen < s.workers then s.seen || ' of the ' else 'the ' end
            || pgjobq.counted(s.workers, 'worker'), case when s.slots = 1 then 'is' else 'are' end,
            pgjobq.moment(s.since), pgjobq.span(clock_timestamp() - s.since));
        details := jsonb_build_object('workers', s.workers, 'slots', s.slots,
                                      'since', pgjobq.micros(s.since));
        return next;
    end if;
    if p_job.crashes > 0 then
        return query select * from pgjobq.explain_quarantine(p_job);
    else
        return query select * from pgjobq.explain_place(p_job, v_queue, s.free);
    end if;
end $$;

comment on function pgjobq.explain_line is 'Internal. Explains why a job has not been taken yet.';

-- A job in quarantine: why it is there, and how many are before it.
create or replace function pgjobq.explain_quarantine(p_job pgjobq.jobs)
returns table (code text, sentence text, details jsonb) language plpgsql stable as $$
#variable_conflict use_column
declare
    b record := pgjobq.jobs_before(p_job);
    v_alone boolean := p_job.crashes > 1 or p_job.max_crashes <= p_job.crashes;
begin
    code := 'quarantined';
    sentence := format('It is in quarantine, because it was running when its worker died, %s '
                       '(`max_crashes` is %s). %s. %s',
        case when p_job.crashes = 1 then 'once' else p_job.crashes || ' times' end, p_job.max_crashes,
        case when b.jobs = 0 then 'It is next there'
             else pgjobq.counted(b.jobs, 'job') || case when b.jobs = 1 then ' is' else ' are' end
                  || ' before it there' end,
        case when v_alone then 'It starts while no other quarantined job runs in its worker.'
             else 'A worker runs only a few quarantined jobs at a time.' end);
    details := jsonb_build_object('crashes', p_job.crashes, 'max_crashes', p_job.max_crashes,
                                  'behind', b.jobs, 'exact', b.exact, 'alone', v_alone);
    return next;
end $$;

comment on function pgjobq.explain_quarantine is 'Internal. Explains a job in quarantine.';

-- A job in line: how many are before it, and how fast they start. Each shard of a queue is a line of its own,
-- and all of them move alike.
create or replace function pgjobq.explain_place(p_job pgjobq.jobs, p_queue text, p_free bigint)
returns table (code text, sentence text, details jsonb) language plpgsql stable as $$
#variable_conflict use_column
declare
    b record := pgjobq.jobs_before(p_job);
    v_rate numeric := pgjobq.ended_per_second(p_job.queue_id);
begin
    code := 'in_line';
    sentence := case
        when b.jobs > 0 then format('It is in the line of its queue `%s` behind %s%s. %s.', p_queue,
            case when b.exact then '' else 'about ' end, pgjobq.counted(b.jobs, 'job'),
            case when v_rate > 0 then format('At %s a second, as in the last minute, that takes %s',
                                             trim_scale(round(v_rate, 2)),
                                             pgjobq.span(b.jobs / v_rate * interval '1 second'))
                 else 'None of its jobs has ended in the last minute' end)
        when p_free > 0 then format('It is next in the line of its queue `%s`, and %s free: a worker takes '
            'it within moments.', p_queue,
            case when p_free = 1 then 'a slot is' else p_free || ' slots are' end)
        else format('It is next in the line of its queue `%s`.', p_queue) end
        || coalesce((select format(' It moves up one priority whenever it has waited for %s.',
                                   pgjobq.span(a.age))
                       from pgjobq.ageing_of(p_job.queue_id) a(age)
                      where a.age is not null and b.jobs > 0 and p_job.priority < 3), '');
    details := jsonb_build_object('queue', p_queue, 'behind', b.jobs, 'exact', b.exact,
                                  'per_second', round(v_rate, 2), 'free_slots', p_free);
    return next;
end $$;

comment on function pgjobq.explain_place is 'Internal. Explains the place of a job in line.';
