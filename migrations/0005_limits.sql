-- The table of limits. What it says of a kind or a queue reaches a new job as its `limits`; what a job has
-- taken of a limit is in the job's own row, and ends with it.

create table pgjobq.limits (
    scope text not null,
    name text not null check (length(name) between 1 and 100),
    per_key boolean not null default false,
    concurrency int,
    holds boolean,
    on_conflict text not null default 'wait',
    rates jsonb,
    overrides jsonb,
    recorded_at timestamptz not null default clock_timestamp(),
    primary key (scope, name),
    constraint limit_is_of_a_kind_or_queue check (scope in ('kind', 'queue')),
    constraint only_kinds_have_keys check (not per_key or scope = 'kind'),
    constraint concurrency_is_sane check (concurrency between 1 and 10000),
    constraint conflict_is_known check (on_conflict in ('wait', 'drop', 'cancel_waiting', 'cancel_running'))
);

comment on table pgjobq.limits is
    'One row for each kind or queue that has limits for the whole fleet: what the code says, and what '
    'operators have set instead. Whoever writes it calls `note_limits`.';
comment on column pgjobq.limits.per_key is 'The limits of the kind hold for each key, and not for all jobs.';
comment on column pgjobq.limits.concurrency is
    'How many of its jobs are in line or run at most; null if that is not limited.';
comment on column pgjobq.limits.holds is
    'A job that is retried or snoozed keeps its permit until then. Null: only if `concurrency` is 1.';
comment on column pgjobq.limits.on_conflict is
    'What becomes of a new job that finds no permit: `wait`; `drop`: it is cancelled; `cancel_waiting`: all '
    'that wait but the newest are; `cancel_running`: the same, and the oldest that has a permit is asked to '
    'stop.';
comment on column pgjobq.limits.overrides is
    'What operators have set instead, by setting: `value`, `by`, `role` and `at`, as in `queues`.';

-- The room of bounded queues, and the line of those who wait for it.

create table pgjobq.room (
    shard smallint not null,
    queue_id int not null,
    id bigint not null,
    places int not null check (places > 0),
    primary key (shard, queue_id, id)
) with (
    fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000
);

comment on table pgjobq.room is
    'The free places of bounded queues, in chunks. With the jobs that occupy places they are always as many '
    'as `queues.capacity`.';

create unlogged table pgjobq.room_waiters (
    shard smallint not null,
    queue_id int not null,
    number bigint not null,
    want int not null,
    until timestamptz not null,
    primary key (shard, queue_id, number)
) with (fillfactor = 50);

comment on table pgjobq.room_waiters is
    'The line of those who wait for room in full queues. A place expires unless it is renewed.';
comment on column pgjobq.room_waiters.number is 'The place in line, from the sequence of tickets.';
comment on column pgjobq.room_waiters.want is 'For how many jobs.';

-- A rate: at most `most` starts in any window of `span` microseconds.
create type pgjobq.rate as (
    most int,
    span bigint
);

comment on type pgjobq.rate is 'Internal. At most `most` starts in any window of `span` microseconds.';

-- Some jobs that are under one limit with rates, and their weights.
create type pgjobq.rated_group as (
    scope text,
    name text,
    key text,
    rates pgjobq.rate[],
    ids uuid[],
    weights int[]
);

comment on type pgjobq.rated_group is 'Internal. Some jobs that are under one limit with rates.';

create table pgjobq.starts (
    next_at timestamptz,
    shard smallint not null,
    scope text not null,
    name text not null,
    key text not null,
    at bigint[] not null default '{}',
    weights int[] not null default '{}',
    primary key (shard, scope, name, key)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

comment on table pgjobq.starts is
    'The history of each kind, key or queue that has a rate: which of its jobs have started within its '
    'windows. A claim writes it. See `room_at`.';
comment on column pgjobq.starts.next_at is
    'When a start may be possible again for a job in the waiting room. Null if none waits for that.';
comment on column pgjobq.starts.key is 'The key, if the rates of the kind hold for each key; else empty.';
comment on column pgjobq.starts.at is 'The times of starts, ascending, in microseconds since 1970.';
comment on column pgjobq.starts.weights is 'The weight that started at each of these times.';

create index starts_awaited on pgjobq.starts (shard, next_at) where next_at is not null;

-- Unique jobs: see `functions/unique.sql`.

create unlogged table pgjobq.unique_locks (
    shard smallint not null,
    kind text not null,
    unique_key text not null,
    primary key (shard, kind, unique_key)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000);

comment on table pgjobq.unique_locks is
    'The unique keys of jobs that are being enqueued. A row is deleted by the transaction that inserts it: '
    'nobody else sees it, but an enqueue of the same key waits for that transaction.';

create table pgjobq.unique_until (
    until timestamptz not null,
    shard smallint not null,
    job uuid not null,
    kind text not null,
    unique_key text not null,
    primary key (shard, kind, unique_key)
);

comment on table pgjobq.unique_until is
    'The unique keys that are taken for a time, and the job that has each. A row whose time is over is as '
    'good as none; workers delete it.';

create index unique_keys_by_time on pgjobq.unique_until (shard, until);

create table pgjobq.unique_requests (
    n bigint generated always as identity,
    holder_created_at timestamptz,
    shard smallint not null,
    id uuid not null,
    holder uuid,
    lasts text not null check (lasts in ('live', 'waiting', 'time')),
    answer text not null check (answer in ('keep', 'replace', 'replace_args', 'replace_run_at')),
    job jsonb not null,
    primary key (shard, id)
);

create index unique_requests_by_holder on pgjobq.unique_requests (shard, holder, n);

comment on table pgjobq.unique_requests is
    'Jobs that met another one with their unique key, as long as it is not settled what becomes of them: '
    'they change that job, or are enqueued after all. A request locks nothing; what follows from it happens '
    'after its commit. Almost always empty.';
comment on column pgjobq.unique_requests.id is 'Of the job that was to be enqueued.';
comment on column pgjobq.unique_requests.holder is
    'The job that has the unique key; null if the enqueue could not know.';
comment on column pgjobq.unique_requests.holder_created_at is
    'Of the holder that is meant: once that job has ended, another may get its id.';
comment on column pgjobq.unique_requests.lasts is 'How long a job is the only one: see `unique_holders`.';
comment on column pgjobq.unique_requests.answer is 'What it changes of the holder, if that still waits.';
comment on column pgjobq.unique_requests.job is 'The row in `jobs` that it would have been.';

-- A unique job of a batch: its place in the batch, its key, how long a job holds that, what it changes of the
-- holder, and its delay in microseconds if it is debounced.
create type pgjobq.unique_job as (
    n int, shard smallint, kind text, unique_key text, lasts text, lasts_for interval, answer text,
    debounce bigint, is_blocked boolean, id uuid);

comment on type pgjobq.unique_job is 'Internal. A unique job of a batch.';

-- The job that holds the key of a job of a batch. `created_at` is null if it has ended.
create type pgjobq.unique_holder as (n int, id uuid, created_at timestamptz);

comment on type pgjobq.unique_holder is 'Internal. The job that has the unique key of another one.';
