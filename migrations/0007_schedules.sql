-- Schedules: rules that enqueue jobs at given times. The new tables are empty. The new column of `workers`
-- has a constant default: it takes the lock of the table for a moment, and rewrites nothing. The release
-- before still works: its workers declare and fire no schedule.

create table pgjobq.schedules (
    name text primary key check (name ~ '^[A-Za-z0-9_.:/-]{1,100}$'),
    kind text not null,
    code jsonb,
    stored jsonb,
    digest text,
    set_by text,
    set_at timestamptz,
    version bigint not null default 0,
    passed_to timestamptz not null default clock_timestamp(),
    next_at timestamptz,
    is_seen boolean not null default false,
    paused_at timestamptz,
    stopped_at timestamptz,
    last_tick timestamptz,
    last_fired_at timestamptz,
    last_job uuid,
    last_missed timestamptz,
    last_missed_why text,
    constraint something_defines_it check (code is not null or stored is not null),
    constraint only_code_stops check (stopped_at is null or stored is null),
    constraint times_are_finite check (isfinite(passed_to) and isfinite(next_at))
) with (fillfactor = 70);

comment on table pgjobq.schedules is
    'The schedules, with their next tick. Whoever fires one locks its row, and compares `version` and '
    '`passed_to` with what it has read.';
comment on column pgjobq.schedules.code is
    'The definition that live workers declare in their code; of several the one that was first seen last.';
comment on column pgjobq.schedules.stored is
    'The definition that was set by name. It wins over the one of the code until it is removed.';
comment on column pgjobq.schedules.digest is 'The digest of `code`: see `schedule_declarations`.';
comment on column pgjobq.schedules.set_by is 'The role that has set `stored`.';
comment on column pgjobq.schedules.version is 'How often it was changed, paused or resumed.';
comment on column pgjobq.schedules.passed_to is 'All ticks up to this time are fired, missed or passed.';
comment on column pgjobq.schedules.next_at is
    'When to look at it next: its next tick, or the time of its last change, after which a worker computes '
    'its tick. Null if no tick will come.';
comment on column pgjobq.schedules.is_seen is
    'True if a worker has computed `next_at`; false from a change until then.';
comment on column pgjobq.schedules.stopped_at is
    'Since when no live worker declares it, although one knows its kind.';
comment on column pgjobq.schedules.last_job is 'The job of the last tick that was fired.';
comment on column pgjobq.schedules.last_missed is
    'The last tick for which no job was enqueued. `last_missed_why` has the reason.';

create index schedules_due on pgjobq.schedules (next_at, name)
    where next_at is not null and paused_at is null;
create index schedules_in_code on pgjobq.schedules (name) where code is not null;

create table pgjobq.schedule_declarations (
    digest text primary key,
    schedule text not null check (schedule ~ '^[A-Za-z0-9_.:/-]{1,100}$'),
    definition jsonb not null,
    first_seen timestamptz not null default clock_timestamp(),
    constraint has_a_kind check (definition #>> '{job,kind}' is not null)
);

comment on table pgjobq.schedule_declarations is
    'The definitions that the code of programs has. A worker declares them by their digests in its own row.';

create index declarations_of_a_schedule on pgjobq.schedule_declarations (schedule, first_seen desc);

create table pgjobq.ticks (
    schedule text not null,
    tick timestamptz not null,
    job uuid,
    fired_at timestamptz not null default clock_timestamp(),
    primary key (schedule, tick)
);

comment on table pgjobq.ticks is
    'The last ticks of each schedule. The key lets no tick be fired twice, whoever fires it.';
comment on column pgjobq.ticks.job is 'The job that was enqueued; null if the tick was missed.';

alter table pgjobq.workers add column schedules text[] not null default '{}';

comment on column pgjobq.workers.schedules is 'The digests of the schedules that its code declares.';
