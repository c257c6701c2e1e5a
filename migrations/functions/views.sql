-- Views for people. The state of a job is derived here, and stored nowhere.
create or replace view pgjobq.job_states as
select j.shard, j.id, q.name as queue, j.kind, j.priority,
       case when j.waits_for > 0 then pgjobq.blocked_state(j.shard, j.meta, j.waits_for)
            when j.run_at is not null then 'scheduled'
            when j.ticket is null then 'limited'
            when exists (select from pgjobq.leases l
                          where l.shard = j.shard and l.queue_id = j.queue_id and l.priority = j.priority
                            and l.max_ticket >= j.ticket and l.tickets @> j.ticket) then 'running'
            else 'ready' end as state,
       j.run_at, j.attempt, j.failures::int, j.crashes::int, j.created_at, null::timestamptz as finished_at,
       j.key, j.attributes, pgjobq.shown_args(j.kind, j.args, j.meta) as args, null::jsonb as output,
       null::jsonb as errors, null::jsonb as cancelled, j.unique_key
  from pgjobq.jobs j left join pgjobq.queues q on q.id = j.queue_id
union all
select f.shard, f.id, q.name, f.kind, f.priority, f.outcome, null, f.attempt, f.failures, f.crashes,
       f.created_at,
       f.finished_at, f.key, f.attributes, pgjobq.shown_args(f.kind, f.args, f.meta), f.output, f.errors,
       f.cancelled, f.unique_key
  from pgjobq.finished f left join pgjobq.queues q on q.id = f.queue_id;

comment on view pgjobq.job_states is
    'Public. Every job that is live or still kept, and its state. Ask for one id or a few: the view reads '
    'whole tables otherwise.';
comment on column pgjobq.job_states.state is
    'blocked, scheduled, held, limited, ready, running; completed, dead, cancelled or expired once it has '
    'ended.';
comment on column pgjobq.job_states.args is 'The arguments, without those that the job function redacts.';

create or replace view pgjobq.queue_overview as
select q.name as queue, c.ready, s.scheduled, c.blocked, c.limited, c.running, c.quarantined,
       d.dead, c.exact and s.exact and d.exact as exact, c.oldest_ready, c.completed, c.failed,
       w.in_queue as workers, c.unaccepted,
       exists (select from pgjobq.pauses p
                where p.scope = 'queue' and p.name = q.name
                  and (p.until is null or p.until > clock_timestamp())) as paused,
       case when q.is_bounded then q.capacity end as bound, pgjobq.room(q.name) as room, c.requested
  from pgjobq.queues q
       cross join lateral pgjobq.queue_counts(q.id) c
       cross join lateral pgjobq.workers_of(q.name, null) w
       join pgjobq.scheduled_counts(
                array(select n::smallint from pgjobq.settings, generate_series(0, shards - 1) n),
                array(select id from pgjobq.queues where deleted_at is null)) s on s.queue_id = q.id
       join pgjobq.dead_counts() d on d.queue_id = q.id
 where q.deleted_at is null;

comment on view pgjobq.queue_overview is
    'Public. The state of each queue. A count above ten thousand is an estimate, and of dead jobs a part; '
    'then `exact` is false.';
comment on column pgjobq.queue_overview.ready is 'Jobs that may start now, the quarantined ones among them.';
comment on column pgjobq.queue_overview.blocked is 'Jobs that wait for their parents.';
comment on column pgjobq.queue_overview.limited is
    'Jobs that wait for a permit of a limit, or for the next start under its rate: see `limits_overview`.';
comment on column pgjobq.queue_overview.quarantined is
    'Jobs that were running when their worker died, waiting or running again. At most ten thousand are '
    'counted.';
comment on column pgjobq.queue_overview.dead is
    'Its dead jobs among the last ten thousand that died in each shard.';
comment on column pgjobq.queue_overview.oldest_ready is 'When the oldest of the ready jobs was created.';
comment on column pgjobq.queue_overview.completed is
    'Attempts of the last five minutes that completed their job.';
comment on column pgjobq.queue_overview.failed is 'Attempts of the last five minutes that did not.';
comment on column pgjobq.queue_overview.requested is
    'Unique jobs that have met another one with their key, and are not enqueued yet. If it stays above 0 '
    'while workers run, the queue is full.';
comment on column pgjobq.queue_overview.workers is
    'Running workers that serve it. If it is 0, no worker runs its jobs.';
comment on column pgjobq.queue_overview.unaccepted is
    'Jobs among the first twenty of each priority and shard that no running worker accepts: `explain` says '
    'why.';
comment on column pgjobq.queue_overview.bound is 'The highest number of its live jobs; null if it has none.';
comment on column pgjobq.queue_overview.room is 'How many more jobs fit below the bound.';
comment on column pgjobq.queue_overview.paused is
    'True if the queue is paused: the table `pauses` says by whom. Pauses of kinds and keys are there, too.';

create or replace view pgjobq.workers_overview as
select w.id, w.name, w.started_at, w.heartbeats, w.seen_at, clock_timestamp() - w.seen_at as silent_for,
       w.lease,
       w.queues as serves, w.slots, w.filter as accepts,
       (select array_agg(q.name order by q.name) from pgjobq.queues q where q.id = any (w.idle)) as idle_in,
       c.queues as running_in, c.leases, c.running
  from (select id, min(name) as name, min(started_at) as started_at, max(beats) as heartbeats,
        max(seen_at) as seen_at,
               max(lease) as lease, max(queues) as queues, max(slots) as slots, max(filter) as filter,
               array_agg(distinct i) filter (where i is not null) as idle
          from pgjobq.workers left join lateral unnest(idle) i on true group by id) w,
       lateral pgjobq.worker_counts(w.id) c;

comment on view pgjobq.workers_overview is 'Public. Every registered worker, and what it holds.';
comment on column pgjobq.workers_overview.name is 'The name that its program gave it.';
comment on column pgjobq.workers_overview.silent_for is
    'The time since its last heartbeat. Other workers take its jobs back once it is silent for longer than '
    '`lease`.';
comment on column pgjobq.workers_overview.serves is 'The queues that it serves.';
comment on column pgjobq.workers_overview.slots is 'How many slots each of these queues has in it.';
comment on column pgjobq.workers_overview.accepts is
    'The filter that its jobs match; null if it accepts all.';
comment on column pgjobq.workers_overview.idle_in is 'The queues in which it waits to be notified of jobs.';
comment on column pgjobq.workers_overview.running_in is 'The queues of the jobs that it runs.';

create or replace view pgjobq.workflows_overview as
select w.id, w.name, w.created_at, w.deadline, w.outcome, w.ended_at, w.live + w.roles as live, w.failed,
       w.cancelled, (select jsonb_object_agg(c.state, c.steps)
                       from (select state, count(*) as steps
                               from pgjobq.states_of_steps(w.shard, w.id, 0, null) group by state) c) as steps
  from pgjobq.workflows w;

comment on view pgjobq.workflows_overview is
    'Public. Every workflow that runs or is still kept. Ask for one id or a few: the view reads all steps.';
comment on column pgjobq.workflows_overview.outcome is
    'completed if each step completed; else cancelled if somebody or the deadline cancelled it; else failed.';
comment on column pgjobq.workflows_overview.live is 'How many steps have not ended.';
comment on column pgjobq.workflows_overview.failed is 'How many steps ended otherwise than completed.';
comment on column pgjobq.workflows_overview.cancelled is 'Who cancelled it, and why.';
comment on column pgjobq.workflows_overview.steps is 'How many steps are in each state.';

create or replace view pgjobq.queue_settings as
select q.name as queue, s.setting, pgjobq.shown_setting(s.setting, s.by_code) as by_code,
       pgjobq.shown_setting(s.setting, s.by_operator) as by_operator, s.set_by, s.role, s.set_at
  from pgjobq.queues q, lateral pgjobq.settings_of(q.id) s
 where q.deleted_at is null
 union all
select q.name, case s.setting when 'rates' then 'rate' else s.setting end,
       pgjobq.shown_limit(s.setting, s.by_code), pgjobq.shown_limit(s.setting, s.by_operator), s.set_by,
       s.role, s.set_at
  from pgjobq.queues q, lateral pgjobq.limit_settings('queue', q.name) s
 where q.deleted_at is null;

comment on view pgjobq.queue_settings is
    'Public. The settings of each queue. What an operator has set wins over what the code says.';
comment on column pgjobq.queue_settings.by_code is
    'What the code says; of a limit, the worker that was built last. Null if none was.';
comment on column pgjobq.queue_settings.by_operator is
    'What `change_setting` has set instead, in all workers, until it is reset.';

create or replace view pgjobq.limits_overview as
select l.scope, l.name, l.per_key, pgjobq.concurrency_of(l.scope, l.name) as concurrency, c.permits,
       pgjobq.shown_limit('rates', coalesce(l.overrides -> 'rates' -> 'value', l.rates)) as rates,
       pgjobq.rates_left(l.scope, l.name) as rates_left, c.waiting, c.exact
  from pgjobq.limits l, lateral pgjobq.limit_counts(l.scope, l.name) c;

comment on view pgjobq.limits_overview is
    'Public. The limits of kinds and queues in the whole fleet, and how full they are. At most ten thousand '
    'permits and jobs of each are counted in a shard, and then `exact` is false.';
comment on column pgjobq.limits_overview.per_key is
    'The limit holds for each key of the kind; the numbers are those of all keys together.';
comment on column pgjobq.limits_overview.concurrency is
    'How many jobs are in line or run at most. Null: it is limited otherwise.';
comment on column pgjobq.limits_overview.permits is 'Jobs that are in line, run, or hold their place.';
comment on column pgjobq.limits_overview.rates is
    'How many jobs start at most in any window of a time, with commas between them. Null: at any rate.';
comment on column pgjobq.limits_overview.rates_left is
    'For each of `rates`, in their order: how many more jobs may start now, with their weights. If the limit '
    'holds for each key, the number is that of the key which has the least left.';
comment on column pgjobq.limits_overview.waiting is
    'Due jobs that wait for a permit, or for the next start under a rate.';
