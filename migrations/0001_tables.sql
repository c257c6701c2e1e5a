-- Where a job lives: inserted once, deleted once, and nothing in its row changes while it runs. What runs is told by the
-- leases, one row for a whole claimed batch. `shard` is the first column of every key of the tables that grow, so that
-- they can be distributed; on one node it is 0, and costs two bytes.

create schema if not exists pgjobq;

create table pgjobq.settings (
    only_row boolean primary key default true check (only_row),
    shards smallint not null check (shards between 1 and 1024),
    program int not null,                       -- the version that installed the functions: 1002003 is 1.2.3
    oldest_program int not null,                -- the oldest version that can run on them
    digest bigint not null                      -- of all migrations and definitions together
);

-- The numbered files that were run. They make tables; each runs once.
create table pgjobq.migrations (
    version int primary key,
    name text not null,
    digest bigint not null,
    applied_at timestamptz not null default now()
);

-- The functions and views as they were last installed. One whose digest differs is installed again.
create table pgjobq.definitions (
    name text primary key,
    signature bigint not null,                  -- digest of its name, parameters and result
    digest bigint not null                      -- digest of its whole text
);

-- One sequence for all queues: many of them gained two percent of WAL, and no speed.
create sequence pgjobq.ticket;

create table pgjobq.queues (
    id int generated always as identity primary key,
    name text not null unique check (name ~ '^[A-Za-z0-9_.:/-]{1,100}$'),
    created_at timestamptz not null default now(),
    deleted_at timestamptz,                     -- the row stays: a transaction still open may have a job for it
    keep_completed interval check (keep_completed > '0' and keep_completed <= '3660 days'),   -- null: see `keep_of`
    keep_dead interval check (keep_dead > '0' and keep_dead <= '3660 days'),
    keep_cancelled interval check (keep_cancelled > '0' and keep_cancelled <= '3660 days'),
    keep_expired interval check (keep_expired > '0' and keep_expired <= '3660 days')
);

-- What the programs that migrated, or worked, last said of each kind; the defaults of an enqueue from SQL.
create table pgjobq.kinds (
    kind text primary key check (kind ~ '^[A-Za-z0-9_.:/-]{1,100}$'),
    queue text not null,
    priority smallint not null,
    retries smallint not null,
    crash_budget smallint not null,
    redact text[] not null default '{}',        -- arguments that are shown to nobody
    recorded_at timestamptz not null default now()
);

-- One shard of one queue. Whoever claims from it locks the row first.
create table pgjobq.lanes (
    shard smallint not null,
    queue_id int not null,
    primary key (shard, queue_id)
);

-- The columns stand in the order that wastes no bytes on alignment.
create table pgjobq.jobs (
    id uuid not null,
    created_at timestamptz not null,
    ticket bigint,                              -- the place in line; null while scheduled or blocked
    run_at timestamptz,                         -- when a scheduled job comes due; null when it is in line
    expires_at timestamptz,                     -- dead on arrival after this; null once it has been started
    queue_id int not null,
    attempt int not null default 0,             -- attempts that have ended; it only grows
    waits_for int not null default 0,           -- parents that have not completed
    shard smallint not null,
    priority smallint not null check (priority between 0 and 3),
    failures smallint not null default 0,
    crashes smallint not null default 0,
    retries smallint not null check (retries >= 0),
    crash_budget smallint not null check (crash_budget >= 0),
    kind text not null check (length(kind) between 1 and 100),
    args jsonb not null,
    attributes jsonb,
    key text,
    meta jsonb,                                 -- parent, traceparent
    primary key (shard, id),
    constraint in_line_means_due check (ticket is null or (run_at is null and waits_for = 0)),
    -- A row that is written by hand must not make the claim, or the upkeep, of all the others fail.
    constraint ticket_fits_a_range check (ticket between 1 and 9223372036854775806),
    constraint meta_is_small check (pg_column_size(meta) < 8192),      -- a claim returns 500 of them, and counts no bytes of theirs
    constraint counts_are_counts check (attempt >= 0 and failures >= 0 and crashes >= 0 and waits_for >= 0),
    constraint times_are_of_this_age check (
        created_at between '1970-01-01Z' and '9999-12-31Z' and run_at between '1970-01-01Z' and '9999-12-31Z'
        and expires_at between '1970-01-01Z' and '9999-12-31Z')
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 50000, autovacuum_vacuum_insert_scale_factor = 0.2);

create index jobs_in_line on pgjobq.jobs (shard, queue_id, priority, ticket) where ticket is not null and crashes = 0;
create index jobs_in_quarantine on pgjobq.jobs (shard, queue_id, priority, ticket) where ticket is not null and crashes > 0;
create index jobs_coming_due on pgjobq.jobs (shard, run_at) where run_at is not null and waits_for = 0;
create index jobs_blocked on pgjobq.jobs (shard, queue_id) where waits_for > 0;
create index jobs_expiring on pgjobq.jobs (shard, expires_at, id) where expires_at is not null;

-- The tickets that a worker holds from one claim. The row is the fence: whoever writes about a running job names it.
create table pgjobq.leases (
    shard smallint not null,
    queue_id int not null,
    priority smallint not null,
    hi bigint not null,                         -- the highest ticket in it
    id bigint not null,                         -- made by the worker, at random
    worker bigint not null,
    claimed_at timestamptz not null default clock_timestamp(),
    tickets int8multirange not null,            -- exactly the tickets that it covers
    primary key (shard, queue_id, priority, hi)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, fillfactor = 50);

create index leases_of_a_worker on pgjobq.leases (shard, worker);

-- One row for each running worker and shard. A worker without a row holds nothing: its leases are taken back.
create table pgjobq.workers (
    shard smallint not null,
    id bigint not null,
    beats bigint not null default 0,            -- how many heartbeats it has sent; who judges its silence watches this
    name text not null,
    lease interval not null check (lease > '0' and lease <= '366 days'),    -- how long it may be silent
    started_at timestamptz not null default clock_timestamp(),
    seen_at timestamptz not null default clock_timestamp(),     -- for people; nothing is decided by it
    idle int[] not null default '{}',           -- the queues in which it would like to be notified of work
    primary key (shard, id)
) with (fillfactor = 50);

-- The failed attempts of live jobs, of each job the first ten and the last hundred. They move into the job's row in `finished`
-- when it ends.
create table pgjobq.failures (
    shard smallint not null,
    job uuid not null,
    attempt int not null,
    at timestamptz not null default clock_timestamp(),
    reason text not null,                       -- error, fatal, decode, panic, timeout, crash; release, of a job that has crashed
    message text not null,
    worker text,
    left_out int not null default 0,            -- failed attempts between the row before and this one that were deleted
    primary key (shard, job, attempt)
);

-- Jobs that have ended, partitioned by the day their row may be dropped: retention is DROP, never DELETE.
create table pgjobq.finished (
    shard smallint not null,
    id uuid not null,
    outcome text not null check (outcome in ('completed', 'dead', 'cancelled', 'expired')),
    queue_id int not null,
    priority smallint not null,
    kind text not null,
    args jsonb not null,
    attributes jsonb,
    key text,
    meta jsonb,
    attempt int not null,
    failures smallint not null,
    crashes smallint not null,
    retries smallint not null,
    crash_budget smallint not null,
    created_at timestamptz not null,
    finished_at timestamptz not null default clock_timestamp(),
    output jsonb,
    errors jsonb,                               -- the failed attempts, oldest first: see `errors_of`
    cancelled jsonb,                            -- who cancelled it (`by`, and the role), why, and when that was asked
    drop_on date not null
) partition by range (drop_on);

create index finished_by_id on pgjobq.finished (shard, id);
create index finished_badly on pgjobq.finished (shard, outcome, finished_at, id) where outcome <> 'completed';

-- The days that have a partition, each of its own. A row goes to the first of them on or after the day on which its
-- retention ends (see `drop_day`), and is dropped with it when that day is over.
create table pgjobq.finished_days (
    day date primary key
);

-- The rows for whose day no partition could be made in time: a missing partition neither stops a job from ending nor shortens
-- its retention. Usually empty. Workers delete its rows when their day is over.
create table pgjobq.finished_rest partition of pgjobq.finished default;

create index finished_rest_by_day on pgjobq.finished_rest (drop_on);

-- Deletes from tables without a key are refused while a publication includes them, unless the whole row identifies a row. That
-- costs nothing unless `wal_level` is logical.
alter table pgjobq.finished replica identity full;
alter table pgjobq.finished_rest replica identity full;

-- Requests to cancel, as they came. A caller's transaction adds a row and locks nothing; what follows from it is done after
-- its commit. While the job runs the row is the flag that ends it: a retry, a release or the reaper does not put it back.
create table pgjobq.cancels (
    shard smallint not null,
    job uuid not null,
    created_at timestamptz not null,            -- of the job that is meant: once that has ended, another may get its id
    asked_at timestamptz not null default clock_timestamp(),
    asked_by text not null,                     -- as the caller says
    role text not null default session_user,    -- as the server knows
    reason text
);

create index cancels_of_a_job on pgjobq.cancels (shard, job);
alter table pgjobq.cancels replica identity full;

-- How far running jobs say they are. The ticket tells whether it is the attempt that runs now. Not logged: after a crash of
-- the database it is worth nothing.
create unlogged table pgjobq.progress (
    shard smallint not null,
    job uuid not null,
    ticket bigint not null,
    percent smallint not null check (percent between 0 and 100),
    message text,
    said_at timestamptz not null default clock_timestamp(),
    primary key (shard, job)
) with (fillfactor = 50);

-- How many attempts of a queue's jobs ended in a worker in the last seconds; kept for some minutes.
create unlogged table pgjobq.rates (
    shard smallint not null,
    queue_id int not null,
    at timestamptz not null,
    completed int not null,
    failed int not null
);

create index rates_of_a_queue on pgjobq.rates (shard, queue_id, at);
alter table pgjobq.rates replica identity full;

-- Processes that wait for the end of jobs, and want to be notified.
create unlogged table pgjobq.waiters (
    shard smallint not null,
    process bigint not null,
    until timestamptz not null,
    primary key (shard, process)
);

create index waiters_until on pgjobq.waiters (shard, until);
