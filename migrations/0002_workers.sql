-- The tables of workers: what they hold, and what they report.

create table pgjobq.leases (
    shard smallint not null,
    queue_id int not null,
    priority smallint not null,
    max_ticket bigint not null,
    id bigint not null,
    worker bigint not null,
    claimed_at timestamptz not null default clock_timestamp(),
    tickets int8multirange not null,
    primary key (shard, queue_id, priority, max_ticket)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, fillfactor = 50);

comment on table pgjobq.leases is
    'The tickets that a worker holds from one claim. A write about a running job names its lease: it is '
    'the fence.';
comment on column pgjobq.leases.max_ticket is 'The highest ticket in it.';
comment on column pgjobq.leases.id is 'Made by the worker, at random, before it sends the claim.';
comment on column pgjobq.leases.tickets is 'Exactly the tickets that it covers.';

create index leases_of_a_worker on pgjobq.leases (shard, worker);

create table pgjobq.workers (
    shard smallint not null,
    id bigint not null,
    beats bigint not null default 0,
    name text not null,
    lease interval not null check (lease > '0' and lease <= '366 days'),
    started_at timestamptz not null default clock_timestamp(),
    seen_at timestamptz not null default clock_timestamp(),
    idle int[] not null default '{}',
    queues text[] not null default '{}',
    kinds text[] not null default '{}',
    slots int[] not null default '{}',
    filter text,
    filter_path jsonpath,
    primary key (shard, id)
) with (fillfactor = 50);

comment on table pgjobq.workers is
    'One row for each running worker and shard. A worker without a row holds nothing: others take its leases '
    'back.';
comment on column pgjobq.workers.beats is
    'How many heartbeats it has sent. Other workers judge its silence by this number.';
comment on column pgjobq.workers.lease is 'How long it may be silent.';
comment on column pgjobq.workers.seen_at is
    'The time of its last heartbeat, for people. Nothing is decided by it.';
comment on column pgjobq.workers.idle is 'The queues in which it waits to be notified of jobs.';
comment on column pgjobq.workers.queues is
    'The queues that it serves, by name, for people. A claim does not read them.';
comment on column pgjobq.workers.kinds is
    'The kinds that its program can run, aliases included, for people. A claim does not read them. '
    '`thumbnail@2` is version 2 of the arguments of `thumbnail`.';
comment on column pgjobq.workers.slots is
    'How many slots each of its `queues` has, for people. A claim does not read them.';
comment on column pgjobq.workers.filter is
    'The jobs that it accepts, for people: null if it accepts all. A claim does not read it.';
comment on column pgjobq.workers.filter_path is 'The same, compiled for `matches`.';

-- A job that waits in one of the lines of its queue, and the address of its row. (A function that returns
-- rows of `jobs` cannot return their `ctid`.)
create type pgjobq.job_in_line as (
    address tid,
    id uuid,
    ticket bigint,
    kind text,
    args jsonb,
    meta jsonb,
    attempt int,
    failures smallint,
    crashes smallint,
    retries smallint,
    max_crashes smallint,
    created_at timestamptz,
    expires_at timestamptz,
    key text,
    attributes jsonb,
    limits smallint,
    due_at timestamptz
);

comment on type pgjobq.job_in_line is 'Internal. A job that waits in a line of its queue.';

-- The jobs that a worker accepts: a compiled filter, whether it looks at more than attributes, and then the
-- name of the queue.
create type pgjobq.job_filter as (
    path jsonpath,
    needs_columns boolean,
    queue text
);

comment on type pgjobq.job_filter is 'Internal. The jobs that a worker accepts: see `accepts`.';

-- A row of the answer of a claim: a job; or the summary, which has only `scanned_to`, `opened` and `more`.
create type pgjobq.claimed_job as (
    priority smallint,
    ticket bigint,
    address tid,
    id uuid,
    kind text,
    args jsonb,
    args_text text,
    meta jsonb,
    attempt int,
    failures smallint,
    retries smallint,
    max_crashes smallint,
    limits smallint,
    key text,
    scanned_to bigint[],
    opened boolean,
    more boolean,
    due timestamptz
);

comment on type pgjobq.claimed_job is 'Internal. A row of the answer of a claim: see `claim`.';
comment on column pgjobq.claimed_job.due is
    'When the job came due. Only the claims of observed workers read it.';
comment on column pgjobq.claimed_job.args_text is
    'The arguments, if the claim had to print them; then `args` is null.';

-- The tables below are not logged: after a crash of the database their rows are worth nothing.
create unlogged table pgjobq.progress (
    shard smallint not null,
    job uuid not null,
    ticket bigint not null,
    percent smallint not null check (percent between 0 and 100),
    message text,
    said_at timestamptz not null default clock_timestamp(),
    primary key (shard, job)
) with (fillfactor = 50);

comment on table pgjobq.progress is 'What running jobs report of their progress.';
comment on column pgjobq.progress.ticket is
    'The ticket of the attempt that reported it. It is out of date once the job has another one.';

create unlogged table pgjobq.rates (
    shard smallint not null,
    queue_id int not null,
    at timestamptz not null,
    completed int not null,
    failed int not null
);

comment on table pgjobq.rates is
    'How many attempts of a queue''s jobs ended in a worker during the last seconds. Kept for ten minutes.';

create index rates_of_a_queue on pgjobq.rates (shard, queue_id, at);
alter table pgjobq.rates replica identity full;

create unlogged table pgjobq.waiters (
    shard smallint not null,
    process bigint not null,
    until timestamptz not null,
    primary key (shard, process)
);

comment on table pgjobq.waiters is 'Processes that wait for the end of jobs, and want to be notified.';

create index waiters_until on pgjobq.waiters (shard, until);
