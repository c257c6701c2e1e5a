-- The tables of jobs and queues. Everything else follows from them.
--
-- A job's row is inserted once and deleted once, and nothing in it changes while the job runs. Leases state
-- which jobs run: one row for a whole claimed batch. `shard` is the first column of every key of the tables
-- that grow, so that they can be distributed. On one node it is 0, and costs two bytes.

create schema if not exists pgjobq;

create table pgjobq.settings (
    only_row boolean primary key default true check (only_row),
    shards smallint not null check (shards between 1 and 1024),
    program int not null,
    oldest_program int not null,
    digest bigint not null,
    changes bigint not null default 0,
    limited jsonb
);

comment on table pgjobq.settings is 'One row: the number of shards, and what is installed.';
comment on column pgjobq.settings.changes is
    'How often operators have changed the settings of queues. A heartbeat returns it, and workers follow.';
comment on column pgjobq.settings.limited is
    'The kinds and queues that have limits, with the `limits` of their new jobs: `kind sync` and `queue api` '
    'are names. Null if there are none. An enqueue reads it; `note_limits` writes it.';
comment on column pgjobq.settings.program is 'The version that installed the functions: 1002003 is 1.2.3.';
comment on column pgjobq.settings.oldest_program is 'The oldest version that can run on them.';
comment on column pgjobq.settings.digest is 'The digest of all migrations and definitions together.';

create table pgjobq.migrations (
    version int primary key,
    name text not null,
    digest bigint not null,
    applied_at timestamptz not null default now()
);

comment on table pgjobq.migrations is
    'The numbered files that were run. They make tables, and each runs once.';

create table pgjobq.definitions (
    name text primary key,
    signature bigint not null,
    digest bigint not null
);

comment on table pgjobq.definitions is
    'The functions and views as they were last installed. One whose digest differs is installed again.';
comment on column pgjobq.definitions.signature is 'The digest of its name, parameters and result.';
comment on column pgjobq.definitions.digest is 'The digest of its whole text.';

-- One sequence for all queues. With a sequence for each queue there was 2 % more WAL, and nothing was faster.
create sequence pgjobq.ticket;

create table pgjobq.queues (
    id int generated always as identity primary key,
    name text not null unique check (name ~ '^[A-Za-z0-9_.:/-]{1,100}$'),
    created_at timestamptz not null default now(),
    deleted_at timestamptz,
    keep_completed interval check (keep_completed > '0' and keep_completed <= '3660 days'),
    keep_dead interval check (keep_dead > '0' and keep_dead <= '3660 days'),
    keep_cancelled interval check (keep_cancelled > '0' and keep_cancelled <= '3660 days'),
    keep_expired interval check (keep_expired > '0' and keep_expired <= '3660 days'),
    slots int,
    bound int check (bound between 1 and 1000000),
    when_full text not null default 'wait' check (when_full in ('wait', 'reject', 'drop_oldest', 'drop_new')),
    is_bounded boolean not null default false,
    capacity int,
    ageing interval check (ageing >= '0' and ageing <= '366 days'),
    overrides jsonb
);

comment on table pgjobq.queues is
    'The queues, with the retention of their ended jobs as programs set it (null: the default, see '
    '`default_keep`).';
comment on column pgjobq.queues.slots is
    'How many of its jobs run at a time in each worker, as the program of the last worker set it.';
comment on column pgjobq.queues.bound is 'The highest number of its live jobs, as the code says.';
comment on column pgjobq.queues.when_full is 'What an enqueue does when the queue is full.';
comment on column pgjobq.queues.is_bounded is 'Enqueues take room. Then `capacity` is the bound.';
comment on column pgjobq.queues.capacity is
    'How many places there are: those in `room`, and those that jobs occupy. Null before the first bound.';
comment on column pgjobq.queues.ageing is
    'How long a job waits until it moves up one priority, as programs set it; null or 0: it does not.';
comment on column pgjobq.queues.overrides is
    'What operators have set instead, by setting: `value`, `by`, `role` and `at`. It wins until it is reset. '
    'A time is in microseconds.';
comment on column pgjobq.queues.deleted_at is
    'When it was deleted. The row stays, because a transaction that is still open may have a job for it.';

create table pgjobq.kinds (
    kind text primary key check (kind ~ '^[A-Za-z0-9_.:/-]{1,100}$'),
    queue text not null,
    priority smallint not null,
    retries smallint not null,
    max_crashes smallint not null,
    redact text[] not null default '{}',
    recorded_at timestamptz not null default now(),
    computed jsonb not null default '{}',
    aliases text[] not null default '{}'
);

comment on table pgjobq.kinds is
    'The kinds of jobs, as programs last recorded them: the defaults of an enqueue from SQL.';
comment on column pgjobq.kinds.redact is
    'The arguments that views and clients do not show: all that any program has ever recorded, because older '
    'jobs have those of older programs.';
comment on column pgjobq.kinds.computed is
    'What each of its jobs computes, by the version of its arguments: its `key`, `weight` and `unique` key, '
    'each from a list of arguments, of which `*` means all, and `?` an expression that SQL does not know; '
    '`secret`, if a digest of the unique key is stored; and the `options` of a unique job, as an enqueue has '
    'them.';
comment on column pgjobq.kinds.aliases is
    'Other kinds under which its jobs are stored: all that any program has ever recorded.';

create table pgjobq.lanes (
    shard smallint not null,
    queue_id int not null,
    may_be_paused boolean not null default true,
    primary key (shard, queue_id)
);

comment on table pgjobq.lanes is 'One row for each shard of each queue. A claim locks it first.';
comment on column pgjobq.lanes.may_be_paused is
    'A claim has to read `pauses`. One that finds none for this lane, and takes a job, clears the mark.';

-- Types of columns of `jobs`. They refuse rows that are written by hand, and would make a claim or the upkeep
-- fail for all others. A session reads the text of a domain once, but that of a constraint of the table again
-- for each statement that writes a row, where every operator counts: such constraints were a third of the
-- cost of an enqueue. So what is about one column is a domain, and the constraints of the table are short.
create domain pgjobq.job_time as timestamptz
    constraint time_is_of_this_age check (value between '1970-01-01Z' and '9999-12-31Z');
create domain pgjobq.job_priority as smallint constraint priority_is_known check (value between 0 and 3);
create domain pgjobq.small_count as smallint constraint count_is_a_count check (value >= 0);
-- The functions keep `attempt` at this limit. The other counts end at `retries` and `max_crashes`.
create domain pgjobq.large_count as int constraint count_is_a_count check (value between 0 and 2000000000);

-- True if a job that is under limits may be stored so: in line only with each permit that its `limits` name,
-- which `may_be_in_line` says as well; and if it needs a permit, with a place in the waiting room.
create function pgjobq.has_its_permits(
    p_ticket bigint, p_limits smallint, p_arrival bigint, p_permit int, p_queue_permit int)
returns boolean language plpgsql immutable as $$
begin
    return (p_limits & 3 = 0 or p_arrival is not null)
       and (p_ticket is null or ((p_limits & 1 = 0 or p_permit is not null)
                                 and (p_limits & 2 = 0 or p_queue_permit is not null)));
end $$;

comment on function pgjobq.has_its_permits is 'Internal. Whether a job under limits may be stored so.';

-- The columns stand in the order that wastes no bytes on alignment.
create table pgjobq.jobs (
    id uuid not null,
    created_at pgjobq.job_time not null,
    ticket bigint,
    run_at pgjobq.job_time,
    expires_at pgjobq.job_time,
    due_at pgjobq.job_time,
    arrival bigint,
    queue_id int not null,
    attempt pgjobq.large_count not null default 0,
    waits_for pgjobq.large_count not null default 0,
    permit int,
    queue_permit int,
    weight int,
    limits smallint,
    unique_slot smallint,
    shard smallint not null,
    priority pgjobq.job_priority not null,
    failures pgjobq.small_count not null default 0,
    crashes pgjobq.small_count not null default 0,
    retries pgjobq.small_count not null,
    max_crashes pgjobq.small_count not null,
    kind text not null,
    args jsonb not null,
    attributes jsonb,
    key text,
    meta jsonb,
    unique_key text,
    primary key (shard, id),
    constraint in_line_means_due check (
        (ticket is null or (run_at is null and waits_for = 0))
        and (limits is null or pgjobq.has_its_permits(ticket, limits, arrival, permit, queue_permit))),
    -- Between 1 and the last bigint but one: a range ends one above it.
    constraint ticket_fits_a_range check (ticket % 9223372036854775807 > 0),
    -- A claim returns the `meta` of 500 jobs, and does not count their bytes; a filter reads the attributes
    -- of all jobs that it passes over. An enqueue allows 8 KiB of attributes, and 200 characters of each text
    -- in indexes, of which an entry has at most 2,700 bytes.
    constraint texts_are_small check (
        kind <> '' and pg_column_size((kind, key, unique_key)) <= 2460
        and pg_column_size((attributes, meta)) < 10240)
) with (
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 50000,
    autovacuum_vacuum_insert_scale_factor = 0.2
);

comment on table pgjobq.jobs is
    'The jobs that have not ended: waiting or running. The view `job_states` shows the state of each.';
comment on column pgjobq.jobs.ticket is
    'The position in line; null while the job is scheduled, blocked, or in the waiting room.';
comment on column pgjobq.jobs.run_at is 'When a scheduled job comes due; null when it is in line.';
comment on column pgjobq.jobs.expires_at is
    'The job ends as expired if it has not started by then; null once it has started.';
comment on column pgjobq.jobs.due_at is
    'When it last came due, if that was after its enqueue; null: when it was enqueued.';
comment on column pgjobq.jobs.limits is
    'The limits that it is under, as bits; null if there are none. 1: its kind''s, so it needs a `permit`. '
    '2: its queue''s, so it needs a `queue_permit`. 4: one of them is a rate, which its claim checks. 8: it '
    'occupies room in a bounded queue. 16: its kind''s limit holds for its key. 32: it keeps its permit '
    'while it is scheduled again. 64, 128, 256: its own answer if it finds no permit.';
comment on column pgjobq.jobs.arrival is
    'The order of its enqueue, in the waiting room. Null if it needs no permit.';
comment on column pgjobq.jobs.permit is
    'The right to be in line or run, under its kind''s limit: its number, or 0 if the limit is only a rate. '
    'A due job without a permit that it needs is in the waiting room: it has neither ticket nor `run_at`.';
comment on column pgjobq.jobs.queue_permit is 'The same under the limit of its queue.';
comment on column pgjobq.jobs.weight is 'How much it counts for a rate; null: 1.';
comment on column pgjobq.jobs.unique_key is 
    'No other job of its kind with this text is enqueued while it holds that. Null if it is not unique.';
comment on column pgjobq.jobs.unique_slot is 
    '0 if it holds its unique key as long as it is live: only one job has this. Null otherwise.';
comment on column pgjobq.jobs.attempt is 'How many attempts have ended. It only grows.';
comment on column pgjobq.jobs.waits_for is
    'How many parents have not ended as the job demands. While it is above 0, the job is blocked.';
comment on column pgjobq.jobs.failures is
    'How many attempts ended in an error that counts towards `retries`.';
comment on column pgjobq.jobs.crashes is
    'How many attempts ended because their worker died. A job with crashes waits in the quarantine.';
comment on column pgjobq.jobs.retries is 'How many tries follow the first failure.';
comment on column pgjobq.jobs.max_crashes is 'How many crashes the job survives.';
comment on column pgjobq.jobs.attributes is
    'Values to filter by: an object of names and strings, numbers, booleans or nulls. Null if it has none.';
comment on column pgjobq.jobs.key is
    'What jobs have in common that are handled together, such as `tenant:42`. Null if it has none.';
comment on column pgjobq.jobs.meta is
    'The job that enqueued this one (`parent`), the trace context (`traceparent`), the `version` of its '
    'arguments if that is not the first one, those of them that are not shown (`redact`), who changed them '
    '(`edited`), of a step its `workflow` and number (`step`), of a job that was enqueued blocked its '
    '`delay` in microseconds, and of a requeued one the time of its first enqueue (`enqueued_at`), in '
    'microseconds since 1970.';

create index jobs_in_line on pgjobq.jobs (shard, queue_id, priority, ticket)
    where ticket is not null and crashes = 0;
create index jobs_in_quarantine on pgjobq.jobs (shard, queue_id, priority, ticket)
    where ticket is not null and crashes > 0;
create index jobs_coming_due on pgjobq.jobs (shard, run_at) where run_at is not null and waits_for = 0;
-- Blocked, or in the waiting room: in no line, and not scheduled.
create index jobs_held_back on pgjobq.jobs (shard, queue_id)
    where ticket is null and (waits_for > 0 or run_at is null);
-- One permit has one job: the row is the right, and ends with the job. The third column is the key, if the
-- kind's limit holds for each key; `permit_key` says the same.
create unique index jobs_with_permit on pgjobq.jobs (
        shard, kind, coalesce(case when limits & 16::smallint > 0 then key end, ''), permit)
    where permit > 0;
create unique index jobs_with_queue_permit on pgjobq.jobs (shard, queue_id, queue_permit)
    where queue_permit > 0;
-- The waiting room: the due jobs without a permit of their kind; and those that lack only their queue's.
create index jobs_without_permit on pgjobq.jobs (
        shard, kind, coalesce(case when limits & 16::smallint > 0 then key end, ''), priority desc, arrival)
    where limits & 1::smallint > 0 and permit is null and ticket is null and run_at is null and waits_for = 0;
create index jobs_without_queue_permit on pgjobq.jobs (shard, queue_id, priority desc, arrival)
    where limits & 2::smallint > 0 and queue_permit is null and ticket is null and run_at is null
      and waits_for = 0 and (limits & 1::smallint = 0 or permit is not null);
-- Two kinds of jobs, because each index has a cost for every enqueue: those in line or running, under a rate
-- of their kind; and, with null for the key, those without a ticket that say themselves what becomes of them
-- if they find no permit. There are hardly ever any of the latter.
create index jobs_under_rate on pgjobq.jobs (
        shard, kind,
        (case when ticket is not null
              then coalesce(case when limits & 16::smallint > 0 then key end, '') end), ticket)
    where (limits & 5::smallint = 5 and ticket is not null) or (limits >= 128 and ticket is null);
-- Who holds a unique key, and that at most one job has it in slot 0: see `functions/unique.sql`.
create unique index jobs_with_unique_key on pgjobq.jobs (shard, kind, unique_key, unique_slot)
    where unique_key is not null;
create index jobs_expiring on pgjobq.jobs (shard, expires_at, id) where expires_at is not null;

create table pgjobq.failures (
    shard smallint not null,
    job uuid not null,
    attempt int not null,
    at timestamptz not null default clock_timestamp(),
    reason text not null,
    message text not null,
    worker text,
    left_out int not null default 0,
    primary key (shard, job, attempt),
    constraint reason_is_known check (
        reason in ('error', 'fatal', 'decode', 'panic', 'timeout', 'crash', 'release'))
);

comment on table pgjobq.failures is
    'The failed attempts of live jobs: the first ten of each job and the last hundred. They move to '
    '`finished.errors` with it.';
comment on column pgjobq.failures.reason is
    'Why the attempt ended. `release` is no failure: a shutdown stopped a job that has crashed before.';
comment on column pgjobq.failures.left_out is
    'How many failed attempts between the row before and this one were deleted.';

-- The columns of fixed length come first, in the order that wastes no bytes on alignment.
create table pgjobq.finished (
    created_at timestamptz not null,
    finished_at timestamptz not null default clock_timestamp(),
    queue_id int not null,
    attempt int not null,
    failures int not null,
    crashes int not null,
    drop_on date not null,
    weight int,
    shard smallint not null,
    priority smallint not null,
    retries smallint not null,
    max_crashes smallint not null,
    id uuid not null,
    outcome text not null check (outcome in ('completed', 'dead', 'cancelled', 'expired')),
    kind text not null,
    args jsonb not null,
    attributes jsonb,
    key text,
    meta jsonb,
    unique_key text,
    output jsonb,
    errors jsonb,
    cancelled jsonb
) partition by range (drop_on);

comment on table pgjobq.finished is
    'Jobs that have ended, partitioned by the day on which their row may be dropped: retention drops tables, '
    'and deletes no rows.';
comment on column pgjobq.finished.drop_on is
    'The day after which the row is dropped with its partition: see `drop_day`.';
comment on column pgjobq.finished.output is 'What the job function returned.';
comment on column pgjobq.finished.errors is 'The failed attempts, oldest first: see `errors_of`.';
comment on column pgjobq.finished.cancelled is
    'Who cancelled the job (`by`, and the database role), the reason, and when that was requested.';

create index finished_by_id on pgjobq.finished (shard, id);
create index finished_badly on pgjobq.finished (shard, outcome, finished_at, id) where outcome <> 'completed';

create table pgjobq.finished_days (
    day date primary key
);

comment on table pgjobq.finished_days is
    'The days that have a partition of `finished`. A row goes to the first one on or after the day on which '
    'its retention ends.';

create table pgjobq.finished_rest partition of pgjobq.finished default;

comment on table pgjobq.finished_rest is
    'Ended jobs for whose day no partition could be made in time. Usually empty; workers delete its rows '
    'when their day is over.';

create index finished_rest_by_day on pgjobq.finished_rest (drop_on);

-- PostgreSQL refuses deletes from a table without a key while a publication includes it, unless the whole row
-- identifies a row. That costs nothing unless `wal_level` is logical.
alter table pgjobq.finished replica identity full;
alter table pgjobq.finished_rest replica identity full;

create table pgjobq.cancels (
    shard smallint not null,
    job uuid not null,
    created_at timestamptz not null,
    asked_at timestamptz not null default clock_timestamp(),
    is_workflow boolean not null default false,
    asked_by text not null,
    role text not null default session_user,
    reason text
);

comment on table pgjobq.cancels is
    'Requests to cancel, as they came. A request locks nothing; what follows from it happens after its '
    'commit. While the job runs, the row is a flag: a retry, a release or the reaper ends the job instead of '
    'putting it back.';
comment on column pgjobq.cancels.created_at is
    'Of the job that is meant: once that job has ended, another may get its id.';
comment on column pgjobq.cancels.is_workflow is 'The request is for a whole workflow, and `job` is its id.';
comment on column pgjobq.cancels.asked_by is 'Who requests it, in the caller''s words.';
comment on column pgjobq.cancels.role is 'Who requests it, as the server knows.';

create index cancels_of_a_job on pgjobq.cancels (shard, job);
create index cancels_of_a_workflow on pgjobq.cancels (shard, job) where is_workflow;
alter table pgjobq.cancels replica identity full;
